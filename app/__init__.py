"""The laboratory in the browser: views -> compute (all caches) -> kwta; plots know neither Streamlit nor torch."""
