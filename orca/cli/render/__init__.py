"""Pure functions from API bodies to text. They know no terminal: colour is dropped when it is printed."""
