"""The composition root: settings, wiring, applications, jobs, migrations."""
