"""Options that several commands share: each module declares a group of them and turns what was typed into a spec."""
