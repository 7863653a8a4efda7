"""Lists the codes of the scan with their texts: what was found, why it matters, and what to do."""

from __future__ import annotations

from dataclasses import dataclass

from messages import mark


@dataclass(frozen=True)
class Code:
    """The texts of a code in English; the Chinese ones are in the catalogue of messages."""

    title: str
    explanation: str
    advice: str


_READ_THE_TEXT = mark(
    "Read the whole text of the tool. If it is harmless, accept the finding with a reason in service.yaml; "
    "otherwise switch it off (off under source.tools; prompts, resources and instructions in source.leave_out), or do "
    "not use this server."
)
_SWITCH_OFF = mark(
    "If you do not need it, switch it off: a tool with off under source.tools, prompts, resources or instructions in "
    "source.leave_out."
)
_LOOK_AT_THE_CODE = mark("Look at the package's source, or take another server.")

CODES: dict[str, Code] = {
    "T01": Code(
        mark("asks the agent to hide something from the user"),
        mark("A tool has no honest reason to keep its calls secret from the person it works for."),
        _READ_THE_TEXT,
    ),
    "T02": Code(
        mark("cancels other instructions"),
        mark("A tool's description may not say that the user's or the system's instructions no longer apply."),
        _READ_THE_TEXT,
    ),
    "T03": Code(
        mark("imitates a message of the system"),
        mark("Such tags make models take the text for an instruction of the system instead of a description."),
        _READ_THE_TEXT,
    ),
    "T04": Code(
        mark("holds hidden text"),
        mark("Models read this text, but it does not show on a screen, so nobody can review it."),
        _READ_THE_TEXT,
    ),
    "T05": Code(
        mark("holds an invisible character"),
        mark("Invisible characters can break up words that people look for; most come from copied texts."),
        _READ_THE_TEXT,
    ),
    "T06": Code(
        mark("refers to keys, passwords or files that hold them"),
        mark("An agent that follows the text could pass secrets of the machine or of the user to the tool."),
        _READ_THE_TEXT,
    ),
    "T07": Code(
        mark("asks to send data to an address"),
        mark("Data that an agent sends to this address leaves the house."),
        _READ_THE_TEXT,
    ),
    "T08": Code(
        mark("wants the conversation, the system prompt or answers of other tools"),
        mark("A tool needs its arguments only; with more it learns what the user told others."),
        _READ_THE_TEXT,
    ),
    "T09": Code(
        mark("wants to be called before everything else"),
        mark("A tool that forces its way into every task costs time, and sees more than it has to."),
        _SWITCH_OFF,
    ),
    "T10": Code(
        mark("changes how tools of another service are used"),
        mark("A service may only describe its own tools; this text changes what agents do with those of others."),
        _READ_THE_TEXT,
    ),
    "T11": Code(
        mark("has a name that looks like another name"),
        mark("A name with look-alike letters makes agents and people take one tool for another."),
        mark("Do not use this server; if the name is right, accept the finding with a reason in service.yaml."),
    ),
    "T12": Code(
        mark("says that it only reads, but its name says that it writes"),
        mark("Clients do not ask the user before they call a tool that only reads."),
        mark("Find out what the tool does, and say it yourself: write under source.tools."),
    ),
    "T13": Code(
        mark("holds encoded text"),
        mark("Models decode such text, people do not, so nobody reviews it."),
        _READ_THE_TEXT,
    ),
    "T14": Code(
        mark("has an odd parameter"),
        mark("A parameter without a use in the tool, or with a sentence as its value, can carry data away."),
        _READ_THE_TEXT,
    ),
    "T15": Code(
        mark("is very long"),
        mark("Every listing costs the model this many characters."),
        _SWITCH_OFF,
    ),
    "T16": Code(
        mark("is very insistent"),
        mark("Many words in capitals make agents prefer this tool to better ones."),
        _SWITCH_OFF,
    ),
    "T17": Code(
        mark("holds an unusual link"),
        mark("The link leads to a bare address, through a shortener, without encryption, or to a foreign site."),
        mark("Open such links only if you know where they lead."),
    ),
    "S01": Code(
        mark("runs a script when it is installed"),
        mark("The script does not run here; the server may lack what it would have made."),
        mark("Try its tools; if one fails, look at what the script does."),
    ),
    "S02": Code(
        mark("downloads code while it runs"),
        mark("Such code is not locked, so nobody reviewed it; without npm, pip and network in the image it fails."),
        _LOOK_AT_THE_CODE,
    ),
    "S03": Code(
        mark("does not verify TLS certificates"),
        mark("Whoever is between the server and the site can read and change everything."),
        _LOOK_AT_THE_CODE,
    ),
    "S04": Code(
        mark("has almost the name of a known server"),
        mark("Packages with nearly the same name are a common trap."),
        mark("Compare the name with the one in the documentation of the server you want."),
    ),
    "S05": Code(
        mark("is a copy by another publisher"),
        mark("Others can add something to a copy, and it seldom gets the original's corrections."),
        mark("Use the original package."),
    ),
    "S06": Code(
        mark("is very new, or does not say where its source is"),
        mark("Nobody had time to notice something bad in it, or nobody can look."),
        mark("Wait some days, or take a version that is older."),
    ),
    "S07": Code(
        mark("needs Windows or a desktop"),
        mark("A container has neither, so its tools cannot work here."),
        mark("Take another server."),
    ),
}
