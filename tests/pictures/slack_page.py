"""Block Kit as a page that looks like Slack: for the eye, no proof of anything.

Nothing is fetched: system fonts, styles of our own, links that go nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

Block = Mapping[str, Any]

CHANNELS = {"C024BE91L": "papers"}  # as Slack would name them

STYLE = """
:root { color-scheme: light; --ink: #1d1c1d; --soft: #616061; --line: #dddddd; --link: #1264a3; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: var(--ink);
  font: 15px/22px Lato, "Noto Sans", "Helvetica Neue", Arial, sans-serif; }
a { color: var(--link); text-decoration: none; }
b { font-weight: 700; }
code { font: 12px/18px "DejaVu Sans Mono", Menlo, Consolas, monospace; color: #e01e5a; padding: 2px 3px 1px;
  background: rgba(29,28,29,.04); border: 1px solid rgba(29,28,29,.13); border-radius: 3px;
  overflow-wrap: anywhere; }
pre { font: 12px/18px "DejaVu Sans Mono", Menlo, Consolas, monospace; margin: 4px 0; padding: 8px;
  background: rgba(29,28,29,.04); border: 1px solid rgba(29,28,29,.13); border-radius: 4px;
  white-space: pre-wrap; overflow-wrap: anywhere; }
.top { padding: 12px 20px; border-bottom: 1px solid var(--line); font-weight: 700; font-size: 18px; }
.top i { color: var(--soft); font-style: normal; font-weight: 400; padding-right: 4px; }
.tabs { padding: 0 20px; border-bottom: 1px solid var(--line); font-size: 13px; color: var(--soft); }
.tabs b { display: inline-block; color: var(--ink); padding: 9px 0 7px; border-bottom: 2px solid #611f69; margin-right: 16px; }
.tabs span { margin-right: 16px; }
.message { display: grid; grid-template-columns: 36px minmax(0, 1fr); gap: 8px; padding: 8px 20px; }
.message.reply { padding-left: 64px; }
.face { width: 36px; height: 36px; border-radius: 8px; background: #7c3085; color: #fff; text-align: center;
  font: 700 20px/36px Georgia, "DejaVu Serif", serif; }
.by b { font-weight: 900; } .by span { color: var(--soft); font-size: 12px; margin-left: 6px; }
.by em { font: 700 10px/14px sans-serif; color: var(--soft); background: #ececec; border-radius: 2px; padding: 1px 3px; margin-left: 4px; }
.private { color: var(--soft); font-size: 12px; line-height: 18px; }
.blocks { max-width: 640px; }
.blocks > * { margin: 8px 0 0; }
.blocks > :first-child { margin-top: 2px; }
h3 { font: inherit; font-size: 18px; line-height: 24px; font-weight: 900; }
hr { border: 0; border-top: 1px solid var(--line); margin: 16px 0 8px !important; }
.context { display: flex; flex-wrap: wrap; gap: 0 8px; color: var(--soft); font-size: 13px; line-height: 18px; }
.context code { font-size: 11px; }
.fields { display: grid; grid-template-columns: 1fr 1fr; gap: 8px 24px; }
.section { display: flex; gap: 24px; justify-content: space-between; align-items: flex-start; }
.section > div { min-width: 0; }
.actions { display: flex; flex-wrap: wrap; gap: 8px; }
.button { flex: none; height: 28px; padding: 0 12px 1px; border: 1px solid rgba(29,28,29,.3); border-radius: 8px;
  font: 700 13px/26px Lato, "Noto Sans", sans-serif; color: var(--ink); max-width: 220px; white-space: nowrap;
  overflow: hidden; text-overflow: ellipsis; background: #fff; }
.button.danger { color: #e01e5a; border-color: #e01e5a; }
.button.go { background: #007a5a; border-color: #007a5a; color: #fff; }
.button.menu { padding: 0 9px; }
ol, ul { margin: 2px 0; padding-left: 26px; }
.home { padding: 8px 20px 24px; } .home .blocks { max-width: 760px; }
.behind { background: rgba(29,28,29,.5); padding: 24px; display: flex; justify-content: center; }
.modal { background: #fff; width: 520px; max-width: 100%; border-radius: 8px; box-shadow: 0 18px 48px rgba(0,0,0,.35); }
.modal header, .modal footer { display: flex; align-items: center; padding: 18px 24px; gap: 12px; }
.modal header { font-size: 22px; font-weight: 900; justify-content: space-between; }
.modal header span { color: var(--soft); font-weight: 400; }
.modal footer { justify-content: flex-end; }
.modal footer .button { height: 36px; line-height: 34px; padding: 0 14px; font-size: 15px; }
.modal .blocks { padding: 0 24px; max-width: none; }
.input { margin-top: 16px !important; }
.input label { font-weight: 700; display: block; margin-bottom: 6px; }
.input label i { font-weight: 400; font-style: normal; color: var(--soft); }
.input small { display: block; font-size: 13px; line-height: 18px; color: var(--soft); margin-top: 4px; }
.control { border: 1px solid rgba(29,28,29,.4); border-radius: 4px; padding: 6px 11px; min-height: 36px; display: flex;
  justify-content: space-between; gap: 8px; }
.control i { color: var(--soft); font-style: normal; }
.check { display: block; padding: 2px 0; }
.check::before { content: ""; display: inline-block; width: 14px; height: 14px; border: 1px solid #868686; border-radius: 3px;
  margin-right: 8px; vertical-align: -1px; }
.check.on::before { background: #1264a3; border-color: #1264a3; box-shadow: inset 0 0 0 3px #fff; }
@media (max-width: 480px) {
  body { font-size: 16px; }
  .top, .tabs, .message, .home { padding-left: 12px; padding-right: 12px; }
  .message.reply { padding-left: 28px; }
  .fields { grid-template-columns: 1fr; }
  .behind { padding: 0; background: #fff; }
  .modal { box-shadow: none; border-radius: 0; }
  .button { height: 32px; line-height: 30px; }
}
"""


def page(body: str) -> str:
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>Slack</title><style>{STYLE}</style></head><body>{body}</body></html>"
    )


def channel(name: str, *messages: str) -> str:
    return page(f"<div class='top'><i>#</i>{escape(name)}</div>{''.join(messages)}")


def message(
    payload: Mapping[str, Any], *, at: str = "9:00 AM", reply: bool = False, private: bool = False
) -> str:
    only = "<div class='private'>Only visible to you</div>" if private else ""
    return (
        f"<div class='message{' reply' if reply else ''}'><div class='face'>P</div><div>{only}"
        f"<div class='by'><b>Paperboy</b><em>APP</em><span>{escape(at)}</span></div>"
        f"{blocks(payload['blocks'])}</div></div>"
    )


def home(view: Mapping[str, Any]) -> str:
    tabs = "<div class='tabs'><b>Home</b><span>Messages</span><span>About</span></div>"
    return page(
        f"<div class='top'>Paperboy</div>{tabs}<div class='home'>{blocks(view['blocks'])}</div>"
    )


def modal(view: Mapping[str, Any]) -> str:
    buttons = f"<span class='button'>{_object(view['close'])}</span>"
    if "submit" in view:
        buttons += f"<span class='button go'>{_object(view['submit'])}</span>"
    return page(
        f"<div class='behind'><div class='modal'><header>{_object(view['title'])}<span>✕</span></header>"
        f"{blocks(view['blocks'])}<footer>{buttons}</footer></div></div>"
    )


def blocks(found: Sequence[Block]) -> str:
    return f"<div class='blocks'>{''.join(map(_block, found))}</div>"


def _block(block: Block) -> str:
    match block["type"]:
        case "header":
            return f"<h3>{_object(block['text'])}</h3>"
        case "divider":
            return "<hr>"
        case "section":
            return _section(block)
        case "context":
            shown = "".join(f"<span>{_object(each)}</span>" for each in block["elements"])
            return f"<div class='context'>{shown}</div>"
        case "actions":
            return f"<div class='actions'>{''.join(map(_control, block['elements']))}</div>"
        case "rich_text":
            return f"<div>{''.join(map(_rich, block['elements']))}</div>"
        case "input":
            optional = " <i>(optional)</i>" if block.get("optional") else ""
            hint = f"<small>{_object(block['hint'])}</small>" if "hint" in block else ""
            return (
                f"<div class='input'><label>{_object(block['label'])}{optional}</label>"
                f"{_control(block['element'])}{hint}</div>"
            )
        case other:
            return f"<div>[{escape(str(other))}]</div>"


def _section(block: Block) -> str:
    shown = ""
    if "text" in block:
        shown += f"<div>{_object(block['text'])}</div>"
    if "fields" in block:
        fields = "".join(f"<div>{_object(each)}</div>" for each in block["fields"])
        shown += f"<div class='fields' style='flex:1'>{fields}</div>"
    if "accessory" in block:
        shown += _control(block["accessory"])
    return f"<div class='section'>{shown}</div>"


def _control(element: Block) -> str:
    match element["type"]:
        case "button":
            return (
                f"<span class='button {element.get('style', '')}'>{_object(element['text'])}</span>"
            )
        case "overflow":
            return "<span class='button menu'>•••</span>"
        case "checkboxes" | "radio_buttons":
            chosen = element.get("initial_options", ())
            return "".join(
                f"<span class='check{' on' if each in chosen else ''}'>{_object(each['text'])}</span>"
                for each in element["options"]
            )
        case _:
            return f"<div class='control'>{_proposed(element)}</div>"


def _proposed(element: Block) -> str:
    arrow = "" if element["type"] == "plain_text_input" else "<i>⌄</i>"
    value = element.get("initial_value") or element.get("initial_time")
    if "initial_option" in element:
        value = element["initial_option"]["text"]["text"]
    if "initial_options" in element:
        value = ", ".join(each["text"]["text"] for each in element["initial_options"])
    holder = element.get("placeholder", {}).get("text", "")
    return (
        f"<span>{escape(value)}</span>{arrow}" if value else f"<i>{escape(holder)}&nbsp;</i>{arrow}"
    )


def _rich(part: Block) -> str:
    match part["type"]:
        case "rich_text_list":
            tag = "ol" if part["style"] == "ordered" else "ul"
            items = "".join(f"<li>{_inline(item)}</li>" for item in part["elements"])
            return f"<{tag} start='{part.get('offset', 0) + 1}'>{items}</{tag}>"
        case "rich_text_preformatted":
            return f"<pre>{_inline(part)}</pre>"
        case _:
            return f"<div>{_inline(part)}</div>"


def _inline(part: Block) -> str:
    return "".join(map(_element, part["elements"]))


def _element(element: Block) -> str:
    match element["type"]:
        case "text":
            shown = escape(element["text"]).replace("\n", "<br>")
        case "link":
            shown = f"<a href='#'>{escape(element['text'])}</a>"
        case "date":
            shown = escape(element["fallback"])
        case "channel":
            shown = f"<a href='#'>#{_name(element['channel_id'])}</a>"
        case "emoji":
            shown = {"warning": "⚠️"}.get(element["name"], f":{escape(element['name'])}:")
        case other:
            shown = f"[{escape(str(other))}]"
    style = element.get("style", {})
    if style.get("code"):
        shown = f"<code>{shown}</code>"
    return f"<b>{shown}</b>" if style.get("bold") else shown


def _object(found: Block) -> str:
    if found["type"] == "plain_text":
        return escape(found["text"])
    return mrkdwn(found["text"])


def mrkdwn(text: str) -> str:
    """As HTML; what Slack has escaped is escaped for HTML alike."""
    shown = re.sub(r"<([^<>|]*)(?:\|([^<>]*))?>", _tag, text)
    shown = re.sub(r"`([^`]+)`", r"<code>\1</code>", shown)
    shown = re.sub(r"(?<!\w)\*([^*\n]+)\*(?!\w)", r"<b>\1</b>", shown)
    return shown.replace("\n", "<br>")


def _tag(match: re.Match[str]) -> str:
    target, shown = match[1], match[2]
    if target.startswith("!date"):
        return shown or ""
    if target.startswith("#"):
        shown = f"#{_name(target[1:])}"
    return f"<a href='#'>{shown or target}</a>"


def _name(channel_id: str) -> str:
    return escape(CHANNELS.get(channel_id, channel_id))
