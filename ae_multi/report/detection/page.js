"use strict";
(async () => {
  const report = JSON.parse(document.getElementById("report-data").textContent);
  const find = (id) => document.getElementById(id);
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const format = (x) => String(Number(x.toPrecision(4)));
  const percent = (x) => `${Number((100 * x).toPrecision(2))} %`;
  const whole = (x) => x.toLocaleString("en");

  // The highest scores in ascending order, and how many of them from each on are anomalies.
  const scores = new Float64Array(bytes(report.scores).buffer);
  const truth = report.truth === null ? null : bytes(report.truth);
  const anomaliesFrom = new Int32Array(scores.length + 1);
  for (let i = scores.length - 1; truth && i >= 0; i--) {
    anomaliesFrom[i] = anomaliesFrom[i + 1] + truth[i];
  }
  const firstBeyond = (threshold) => {
    let low = 0, high = scores.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (scores[middle] > threshold) high = middle; else low = middle + 1;
    }
    return low;
  };

  await Bokeh.embed.embed_items(report.documents, report.items);
  const bokeh = Bokeh.documents[Bokeh.documents.length - 1];
  const model = (id) => bokeh.get_model_by_id(id);
  const source = model(report.source);
  const column = (name) => source.data[name];

  // Colours of the page, in light and dark.
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const paint = () => {
    if (matchMedia("print").matches) return; // printed before it would be drawn again
    document.documentElement.dataset.painted = dark.matches ? "dark" : "light";
    const style = getComputedStyle(document.documentElement);
    for (const [id, property, variable] of report.colours) {
      model(id)?.setv({ [property]: style.getPropertyValue(variable).trim() });
    }
    for (const [id, light, night] of report.palettes) {
      const colours = dark.matches ? night : light;
      model(id).palette = colours.map(
        (each) => (each.startsWith("--") ? style.getPropertyValue(each).trim() : each));
    }
  };
  paint();
  dark.addEventListener("change", paint);

  // Threshold.
  const slider = find("threshold-slider"), exact = find("threshold-number");
  const { low, high } = report;
  const valueAt = (x) => (report.isLog ? low * (high / low) ** (x / 1000) : low + (high - low) * x / 1000);
  const placeOf = (v) => 1000 * (report.isLog ? Math.log(v / low) / Math.log(high / low)
    : (v - low) / (high - low));
  let threshold = report.threshold;
  const describe = () => {
    const from = firstBeyond(threshold), alarms = scores.length - from;
    if (from === 0 && scores.length < report.rows) {
      return `More than ${whole(alarms)} alarms: the page counts only these highest scores.`;
    }
    let text = `Score ${format(threshold)}: ${whole(alarms)} of ${whole(report.rows)} ` +
      `${report.unit} are alarms (${percent(alarms / report.rows)})`;
    const change = alarms - (scores.length - firstBeyond(report.threshold));
    if (change) text += `, ${whole(Math.abs(change))} ${change > 0 ? "more" : "fewer"}`;
    if (truth === null) return `${text}.`;
    const detected = anomaliesFrom[from], anomalies = report.anomalies;
    return `${text}. ${whole(detected)} of ${whole(anomalies)} anomalies are detected` +
      `${anomalies ? ` (recall ${percent(detected / anomalies)})` : ""}, and ` +
      `${whole(alarms - detected)} alarms are false` +
      `${alarms ? ` (precision ${percent(detected / alarms)})` : ""}.`;
  };
  const apply = () => {
    const text = describe();
    slider.setAttribute("aria-valuetext", text);
    find("threshold-result").textContent = text;
    for (const id of report.thresholds) model(id).location = threshold;
    model(report.beyond).left = threshold;
    const isAlarm = Array.from(column("score"), (score) => score > threshold);
    const marks = Array.from(column("mark"));
    source.data = {
      ...source.data,
      shape: isAlarm.map((beyond, i) => (beyond ? "triangle" : "circle") + marks[i]),
      size: isAlarm.map((beyond) => (beyond ? 10 : 7)),
    };
  };
  const set = (value) => {
    if (!Number.isFinite(value)) return;
    const isChange = value !== threshold;
    threshold = value;
    slider.value = placeOf(Math.min(Math.max(value, low), high));
    exact.value = Number(value.toPrecision(6));
    if (isChange) apply();
  };
  slider.addEventListener("input", () => set(valueAt(Number(slider.value))));
  exact.addEventListener("change", () => set(exact.valueAsNumber));
  find("threshold-reset").addEventListener("click", () => set(report.threshold));
  model(report.distribution).on_event("tap", (event) => set(event.x));
  set(threshold);
  find("threshold-result").textContent = describe();
  slider.setAttribute("aria-valuetext", describe());

  // The selected row.
  const count = column("score").length;
  const show = () => {
    const box = find("selected"), [index] = source.selected.indices;
    if (index === undefined) {
      box.textContent = `No ${report.unit.slice(0, -1)} is selected.`;
      return;
    }
    box.textContent = "";
    if (column("image")) {
      const image = document.createElement("img");
      image.src = column("image")[index];
      image.alt = "";
      box.append(image);
    }
    const name = document.createElement("strong");
    name.textContent = `${report.unit.slice(0, -1)} ${column("name")[index]}`;
    const facts = [`score ${format(column("score")[index])}`];
    for (const key of ["time", "label", "reason"]) {
      if (column(key)) facts.push(column(key)[index]);
    }
    box.append(name, ` · ${facts.join(" · ")}`);
  };
  source.selected.properties.indices.change.connect(show);
  const select = (index) => { source.selected.indices = [Math.min(Math.max(index, 0), count - 1)]; };
  const step = (by) => {
    const [index] = source.selected.indices;
    select(index === undefined ? count - 1 : index + by);
  };
  find("stranger").addEventListener("click", () => step(1));
  find("less-strange").addEventListener("click", () => step(-1));
  find("clear").addEventListener("click", () => { source.selected.indices = []; });
  find("map").addEventListener("keydown", (event) => {
    const by = { ArrowRight: -1, ArrowDown: -1, ArrowLeft: 1, ArrowUp: 1 }[event.key];
    if (by) {
      event.preventDefault();
      step(by);
    }
  });
  for (const button of document.querySelectorAll("button.show")) {
    button.addEventListener("click", () => {
      select(report.strangest[Number(button.dataset.place)]);
      find("selected").scrollIntoView({ block: "center" });
    });
  }
  document.body.dataset.ready = "true";
})();
