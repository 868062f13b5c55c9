"""Style and script of the HTML pages.

The colours of the backends are variants of those of Okabe and Ito, which colour-blind readers can
distinguish. The cells of the layers are blue within the bound, darker towards it, and orange beyond
it. Orange cells have the highest contrast with the page, so that they are also distinct in grey.
"""

STYLE = """
:root {
  color-scheme: light dark; --page: #ffffff; --text: #1b1f24; --soft: #57606a; --line: #d0d7de;
  --panel: #f6f8fa; --good: #0b5c9c; --bad: #a33b00; --focus: #0969da; --m0: #ffffff; --m1:
  #e8f2fb; --m2: #cfe4f7; --m3: #b0d2f0; --m4: #8fbee6; --beyond: #a33b00; --on-beyond: #ffffff;
  --torch: #c04a00; --tensorflow: #007a5a; --jax: #0067a8; --numpy: #6b5bab; --openvino:
  #8a6d00; --fault: #b0548a;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #0d1117; --text: #e6edf3; --soft: #9da7b3; --line: #3d444d; --panel: #161b22;
    --good: #79c0ff; --bad: #ffa657; --focus: #58a6ff; --m0: #0d1117; --m1: #12263a; --m2:
    #173757; --m3: #1d4a76; --m4: #245f99; --beyond: #ffa657; --on-beyond: #1b1006; --torch:
    #ff9b55; --tensorflow: #3fd0a0; --jax: #79b8ff; --numpy: #c0aef8; --openvino: #e3c04f;
    --fault: #e79ac8;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--text); font: 16px/1.5 system-ui,
  -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
main { max-width: 68rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.35rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
p, li, dd { overflow-wrap: anywhere; }
p { max-width: 46rem; }
.soft { color: var(--soft); }
a { color: var(--focus); }
bdi, code { overflow-wrap: anywhere; }
.verdict { font-size: 1.25rem; font-weight: 600; margin: .4rem 0; max-width: none; }
.verdict.good { color: var(--good); }
.verdict.bad { color: var(--bad); }
li .verdict { font-size: 1rem; display: inline; }
.conclusion {
  border: 1px solid var(--line); border-left-width: 6px; border-radius: 6px; padding: .6rem
  1.2rem 1rem; background: var(--panel);
}
.conclusion.bad { border-left-color: var(--bad); }
.conclusion.good { border-left-color: var(--good); }
dl { margin: .6rem 0 0; }
.fact { display: grid; grid-template-columns: 12rem 1fr; gap: 0 1rem; padding: .25rem 0; }
dt { font-weight: 600; color: var(--soft); }
dd { margin: 0; }
.scroll { overflow-x: auto; margin: .6rem 0; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
table { overflow-wrap: normal; border-collapse: collapse; font-size: .875rem; min-width: 100%; }
caption { text-align: left; color: var(--soft); padding-bottom: .3rem; }
th, td {
  padding: .3rem .42rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align:
  top;
}
thead th { color: var(--soft); font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 500; white-space: nowrap; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.beyond { background: var(--beyond); color: var(--on-beyond); font-weight: 700; }
.differ-note { color: var(--bad); }
.agree { color: var(--good); white-space: nowrap; }
.differ { color: var(--bad); font-weight: 700; white-space: nowrap; }
.network { list-style: none; padding: 0; margin: .6rem 0; }
.network > li { position: relative; }
.network > li + li::before {
  content: ""; display: block; width: 2px; height: .55rem; margin-left: 2.2rem; background:
  var(--soft);
}
.network details, .heading { border: 1px solid var(--line); border-radius: 6px; }
.network .first { border: 2px solid var(--bad); }
.heading { border-color: transparent; color: var(--soft); font-size: .8rem; }
summary, .heading {
  display: grid; grid-template-columns: minmax(0, 1fr) repeat(var(--cells), 5.4rem); gap: .4rem;
  align-items: center; padding: .35rem .6rem;
}
summary { cursor: pointer; list-style: none; }
summary::-webkit-details-marker { display: none; }
summary:hover { background: var(--panel); border-radius: 6px; }
.name::before { content: "▸ "; color: var(--soft); }
details[open] > summary .name::before { content: "▾ "; }
.name strong { overflow-wrap: anywhere; }
.kind { color: var(--soft); font-size: .85rem; display: block; padding-left: 1rem; }
.tag { color: var(--bad); font-weight: 700; font-size: .85rem; display: block; padding-left: 1rem; }
.cell {
  border: 1px solid var(--line); border-radius: 4px; text-align: center; padding: .15rem .2rem;
  font-size: .85rem; font-variant-numeric: tabular-nums;
}
.cell small { display: block; font-size: .7rem; }
.heading span { text-align: center; }
.heading .name { text-align: left; }
.heading .name::before { content: ""; }
.cell.none { border-color: transparent; color: var(--soft); }
.m0 { background: var(--m0); }
.m1 { background: var(--m1); }
.m2 { background: var(--m2); }
.m3 { background: var(--m3); }
.m4 { background: var(--m4); }
.cell.beyond {
  background: var(--beyond); color: var(--on-beyond); font-weight: 700; border-color:
  var(--beyond);
}
details > .scroll { margin: .2rem .8rem .8rem; }
.more { margin: .4rem 0 1rem; }
.more > summary { display: block; padding: .2rem 0; color: var(--soft); }
.more > summary::before { content: "▸ "; }
.more[open] > summary::before { content: "▾ "; }
.legend {
  display: flex; flex-wrap: wrap; gap: .3rem .5rem; align-items: center; font-size: .85rem;
  color: var(--soft);
}
.legend .cell { padding: .1rem .5rem; color: var(--text); }
.legend .cell.beyond { color: var(--on-beyond); }
svg {
  display: block; width: 100%; min-width: 34rem; height: auto; font: 12px system-ui, sans-serif;
  fill: var(--text);
}
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .axis { stroke: var(--soft); stroke-width: 1; }
svg .bound { stroke: var(--text); stroke-width: 1.5; stroke-dasharray: 7 4; fill: none; }
svg .soft { fill: var(--soft); }
svg .curve { fill: none; stroke-width: 2; }
svg .row:focus-visible .band, svg .row:hover .band { fill: var(--panel); }
svg .band { fill: transparent; }
.torch { --series: var(--torch); }
.tensorflow { --series: var(--tensorflow); }
.jax { --series: var(--jax); }
.numpy { --series: var(--numpy); }
.openvino { --series: var(--openvino); }
.fault { --series: var(--fault); }
.noise { --series: var(--soft); }
svg .curve { stroke: var(--series, var(--text)); }
svg .point { fill: var(--series, var(--text)); stroke: var(--page); stroke-width: 1; }
@media (max-width: 46rem) {
  .fact { grid-template-columns: 1fr; }
  .heading { display: none; }
  .network summary { grid-template-columns: repeat(auto-fill, minmax(4.9rem, 1fr)); }
  .network .name { grid-column: 1 / -1; }
}
@media (min-width: 46.01rem) {
  .network .cell small.stage { display: none; }
}
@media print {
  @page { margin: 1.4cm; }
  :root { color-scheme: light; }
  body { font-size: 10.5pt; }
  main { max-width: none; padding: 0; }
  .scroll { overflow: visible; }
  tr, .network > li, svg, .conclusion { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""

# Opens the tables of numbers while the page is printed. Layers stay closed, since those of a large
# network would fill hundreds of pages.
PRINT_SCRIPT = """
addEventListener("beforeprint", () => document.querySelectorAll("details.more:not([open])").forEach(
  (e) => { e.open = true; e.dataset.folded = ""; }));
addEventListener("afterprint", () => document.querySelectorAll("details[data-folded]").forEach(
  (e) => { e.open = false; delete e.dataset.folded; }));
"""
