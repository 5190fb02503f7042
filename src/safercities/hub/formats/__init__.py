"""Short dates where Django's are of one country, or missing: `settings.FORMAT_MODULE_PATH` names this folder."""
