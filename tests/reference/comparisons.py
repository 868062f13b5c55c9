"""Fixed results of a comparison."""


def result_of(model, backend, **changes):
    """Return the result of one model on one backend."""
    return {
        "model": model,
        "class": f"{model.title()}Autoencoder",
        "backend": backend,
        "plan": {"torch": "graph", "jax": "scan"}[backend],
        "device": "cpu (2 threads)",
        "versions": {backend: "1.2.3+cpu"},
        "code_size": 9,
        "parameters": 224601,
        "epochs": 2,
        "initial_weights_sha256": "ab",
        "first_losses": [0.5, 0.4],
        "epoch_losses": [0.06, 0.04],
        "train_mse": 0.021,
        "test_mse": 0.022,
        "pca_mse": 0.0345,
        "psnr_db": 17.4,
        "seconds": 12.3,
        "samples_per_second": 98765.4,
        "perturbed_test_mse": [0.0221, 0.0219] if backend == "jax" else [],
        "notes": [],
        **changes,
    }
