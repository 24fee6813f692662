"""The app as ASGI, warmed up before its first viewer: `python -m app`, or `uvicorn app.server:app`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st

from app import answers
from app.compute.warm import warm_up


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[None]:
    await asyncio.to_thread(warm_up)
    yield


app = st.App(Path(__file__).with_name("main.py"), lifespan=lifespan, routes=answers.routes())
