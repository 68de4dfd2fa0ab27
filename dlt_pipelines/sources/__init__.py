"""The sources that come with the project, one package each."""
