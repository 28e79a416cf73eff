"""Commands: train, predict, fetch_model, real Caffe without root."""
