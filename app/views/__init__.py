"""One script per view: it reads the controls, asks app.compute, and draws."""
