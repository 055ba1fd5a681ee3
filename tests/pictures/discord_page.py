"""Messages and modals as a page that looks like Discord: for the eye, no proof of anything.

Markdown is what ``tests.discord_reader`` parses, so a picture shows what the tests judge. Nothing is
fetched: system fonts, styles of our own, links that go nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from tests.discord_reader import Node, parse

Component = Mapping[str, Any]

STYLE = """
:root { color-scheme: dark; --ink: #dbdee1; --bright: #f2f3f5; --soft: #949ba4; --link: #00a8fc; }
* { box-sizing: border-box; }
body { margin: 0; padding-bottom: 10px; background: #313338; color: var(--ink);
  font: 16px/22px "gg sans", "Noto Sans", "Helvetica Neue", Arial, sans-serif; }
a { color: var(--link); text-decoration: none; }
b { font-weight: 700; } u { text-underline-offset: 2px; }
code { font: 13.5px/18px "DejaVu Sans Mono", Menlo, Consolas, monospace; background: #1e1f22;
  border-radius: 4px; padding: 1px 4px; overflow-wrap: anywhere; }
pre { font: 13.5px/18px "DejaVu Sans Mono", Menlo, Consolas, monospace; margin: 4px 0; padding: 8px;
  background: #1e1f22; border: 1px solid #1a1b1e; border-radius: 4px; white-space: pre-wrap; }
.top { padding: 12px 16px; border-bottom: 1px solid #26272b; color: var(--bright); font-weight: 600; }
.top i { color: #80848e; font-style: normal; font-size: 22px; line-height: 20px; padding-right: 6px; vertical-align: -2px; }
.message { padding: 10px 16px 8px; }
.used { color: var(--soft); font-size: 14px; padding: 0 0 4px 28px; display: flex; gap: 6px; align-items: center; }
.used::before { content: ""; width: 26px; height: 10px; border: solid #4e5058; border-width: 2px 0 0 2px;
  border-top-left-radius: 6px; margin-bottom: -10px; }
.used b { color: var(--bright); font-weight: 500; } .used span { color: #c9cdfb; background: rgba(88,101,242,.3);
  border-radius: 3px; padding: 0 3px; }
.row { display: grid; grid-template-columns: 40px minmax(0, 1fr); gap: 16px; }
.face { width: 40px; height: 40px; border-radius: 50%; background: #4e8fe0; color: #fff; text-align: center;
  font: 700 21px/40px Georgia, "DejaVu Serif", serif; }
.by b { color: var(--bright); font-weight: 600; }
.by em { font: 600 10px/15px "Noto Sans", sans-serif; background: #5865f2; color: #fff; border-radius: 4px; padding: 1px 5px;
  margin: 0 6px 0 5px; vertical-align: 2px; }
.by span { color: var(--soft); font-size: 12px; }
.private { color: var(--soft); font-size: 12px; margin-top: 4px; }
.parts { display: flex; flex-direction: column; gap: 8px; }
.box { max-width: 600px; margin-top: 4px; background: #2b2d31; border: 1px solid #3a3c42; border-left: 4px solid;
  border-radius: 6px; padding: 14px 16px; display: flex; flex-direction: column; gap: 8px; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; }
.box .text { font-size: 14.5px; line-height: 19px; }
.text h3 { font: inherit; font-size: 16px; line-height: 21px; font-weight: 700; color: var(--bright); margin: 0 0 2px; }
.text small { display: block; font-size: 12.5px; line-height: 17px; color: var(--soft); margin: 1px 0; }
.text small b { color: #b5bac1; }
.text ol { margin: 2px 0; padding-left: 22px; } .text li { margin: 2px 0; }
.mention { color: #c9cdfb; background: rgba(88,101,242,.3); border-radius: 3px; padding: 0 2px; font-weight: 500; }
.time { background: rgba(78,80,88,.48); border-radius: 3px; padding: 0 2px; }
.section { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 12px; align-items: start; }
hr { border: 0; border-top: 1px solid #3f4147; margin: 4px 0; width: 100%; }
.buttons { display: flex; flex-wrap: wrap; gap: 8px; }
.button { height: 32px; border-radius: 6px; background: #4e5058; color: #fff; font-size: 14px; line-height: 30px; font-weight: 500;
  padding: 0 14px; max-width: 100%; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.menu { max-width: 568px; height: 40px; border-radius: 6px; background: #1e1f22; border: 1px solid #3a3c42; color: #87898c;
  padding: 8px 12px; font-size: 14.5px; display: flex; justify-content: space-between; gap: 8px; }
.menu span { overflow: hidden; white-space: nowrap; text-overflow: ellipsis; }
.menu.set { color: var(--ink); }
.menu::after { content: ""; width: 9px; height: 9px; border: solid #b5bac1; border-width: 0 2px 2px 0; transform: rotate(45deg);
  margin: 3px 3px 0 0; flex: none; }
.behind { background: rgba(0,0,0,.7); padding: 28px; display: flex; justify-content: center; }
.modal { background: #313338; width: 442px; border-radius: 10px; padding: 22px 24px; max-width: 100%; }
.modal h2 { display: flex; gap: 12px; align-items: center; margin: 0 0 16px; font-size: 20px; color: var(--bright); }
.modal h2 .face { width: 32px; height: 32px; line-height: 32px; font-size: 17px; }
.modal label { display: block; color: var(--bright); font-weight: 500; margin-top: 18px; }
.modal label i { color: #f23f43; font-style: normal; padding-left: 3px; }
.modal p { margin: 1px 0 0; color: var(--soft); font-size: 14px; line-height: 18px; }
.modal .menu, .modal .input { margin-top: 8px; max-width: none; }
.input { min-height: 40px; border-radius: 6px; background: #1e1f22; border: 1px solid #3a3c42; padding: 8px 12px; font-size: 15px; }
.input i { color: #87898c; font-style: normal; }
.modal .text { font-size: 14px; line-height: 18px; margin-top: 18px; color: var(--soft); }
.feet { display: grid; grid-template-columns: 1fr 1fr; gap: 8px; margin-top: 24px; }
.feet span { height: 38px; line-height: 36px; text-align: center; border-radius: 6px; background: #404249; color: #fff; font-weight: 500;
  font-size: 14px; }
.feet span + span { background: #5865f2; }
@media (max-width: 480px) {
  .row { gap: 10px; } .message { padding: 8px 10px; }
  .box { padding: 12px; }
  .behind { padding: 0; } .modal { border-radius: 0; padding: 20px 14px; }
}
"""


def page(body: str) -> str:
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>Discord</title><style>{STYLE}</style></head><body>{body}</body></html>"
    )


def channel(name: str, *messages: str) -> str:
    return page(f"<div class='top'><i>#</i>{escape(name)}</div>{''.join(messages)}")


def message(payload: Mapping[str, Any], *, at: str = "Today at 09:00", used: str = "") -> str:
    """*used* is the command that it answers: then only the asker sees it."""
    asked = f"<div class='used'><b>ann</b> used <span>{escape(used)}</span></div>" if used else ""
    only = "<div class='private'>Only you can see this · <a>Dismiss message</a></div>"
    return (
        f"<div class='message'>{asked}<div class='row'><div class='face'>P</div><div>"
        f"<div class='by'><b>Paperboy</b><em>APP</em><span>{escape(at)}</span></div>"
        f"<div class='parts'>{_components(payload['components'])}</div>{only if used else ''}"
        "</div></div></div>"
    )


def modal(data: Mapping[str, Any]) -> str:
    fields = "".join(map(_asked, data["components"]))
    return page(
        f"<div class='behind'><div class='modal'><h2><span class='face'>P</span>{escape(data['title'])}</h2>"
        f"{fields}<div class='feet'><span>Cancel</span><span>Submit</span></div></div></div>"
    )


def _asked(component: Component) -> str:
    if component["type"] == 10:
        return f"<div class='text'>{markdown(component['content'])}</div>"
    needed = "<i>*</i>" if component["component"].get("required") else ""
    hint = component.get("description", "")
    told = f"<p>{escape(hint)}</p>" if hint else ""
    return f"<label>{escape(component['label'])}{needed}</label>{told}{_component(component['component'])}"


def _components(components: Sequence[Component]) -> str:
    return "".join(map(_component, components))


def _component(component: Component) -> str:
    match component["type"]:
        case 1:
            inside = component["components"]
            shown = _components(inside)
            return shown if inside[0]["type"] == 3 else f"<div class='buttons'>{shown}</div>"
        case 2:
            return f"<span class='button'>{escape(component['label'])}</span>"
        case 3:
            chosen = ", ".join(o["label"] for o in component["options"] if o.get("default"))
            shown = escape(chosen or component.get("placeholder", "Choose"))
            return f"<div class='menu{' set' if chosen else ''}'><span>{shown}</span></div>"
        case 4:
            value, holder = component.get("value", ""), component.get("placeholder", "")
            return f"<div class='input'>{escape(value) or f'<i>{escape(holder)}&nbsp;</i>'}</div>"
        case 9:
            text = _components(component["components"])
            return (
                f"<div class='section'><div>{text}</div>{_component(component['accessory'])}</div>"
            )
        case 10:
            return f"<div class='text'>{markdown(component['content'])}</div>"
        case 14:
            return "<hr>"
        case 17:
            color = f"#{component['accent_color']:06x}"
            inside = _components(component["components"])
            return f"<div class='box' style='border-left-color:{color}'>{inside}</div>"
        case other:
            return f"<div>[{other}]</div>"


def markdown(text: str) -> str:
    return _nodes(parse(text))


def _nodes(nodes: Sequence[Node]) -> str:
    shown = ""
    in_list = False
    for node in nodes:
        if (node.kind == "item") != in_list:
            shown += "</ol>" if in_list else f"<ol start='{node.text.split('.')[0].strip()}'>"
            in_list = not in_list
        found = _node(node)
        shown += found.removeprefix("\n") if shown.endswith("</pre>") else found
    return shown + "</ol>" * in_list


def _node(node: Node) -> str:
    tags = {"strong": "b", "under": "u", "heading": "h3", "small": "small", "em": "i", "item": "li"}
    match node.kind:
        case "text":
            return escape(node.text)
        case "code":
            return f"<code>{escape(node.text)}</code>"
        case "block":
            return f"<pre>{escape(node.text)}</pre>"
        case "link":
            return f"<a href='#'>{_nodes(node.inside)}</a>"
        case "time":
            when = datetime.fromtimestamp(int(node.target), UTC)
            return f"<span class='time'>{when.day} {when:%B %Y at %H:%M}</span>"
        case "channel":
            return "<span class='mention'># papers</span>"
        case "mention":
            return "<span class='mention'>@readers</span>"
        case kind if kind in tags:
            return f"<{tags[kind]}>{_nodes(node.inside)}</{tags[kind]}>"
        case _:
            return escape(node.text)
