"""The hub: a web application for the public, the analyst and other machines. The only room that imports Django."""
