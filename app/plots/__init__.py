"""Figures as pure functions of results: neither Streamlit nor torch."""
