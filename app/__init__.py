"""The laboratory in the browser. Layers: views -> compute (all caches) -> kwta; plots know neither Streamlit nor torch."""
