"""The workbench: where an analyst's files become a release."""
