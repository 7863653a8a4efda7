"""Holds the English texts of the problems with the hub: groups, logins, and names that two services share."""

from __future__ import annotations

from messages import mark

#: By message, its text with the parameters in braces; part of infra.schema.messages.MESSAGES.
HUB_MESSAGES: dict[str, str] = {
    "group_service_twice": mark("each service can be listed only once; listed twice: {names}"),
    "hub_is_off": mark("this needs the hub, which is off (hub.enabled: false); switch it on, or leave {key} out"),
    "group_tools_unknown": mark(
        "the tools of {service} are not known, so the group cannot be checked; write its lock file "
        "(./deploy.sh tools lock {service}), or leave it out of the group"
    ),
    "service_misspelt": mark("no such service; the nearest is {near}"),
    "tool_misspelt": mark("{tool!r}: no such tool; the nearest is {near}"),
    "group_without_tools": mark(
        "the group {group} has no tools: they are all left out, or they write and their service only reads "
        "(DYBER_READ_ONLY)"
    ),
    "group_services_off": mark(
        "the group {group} has no tools, because this stack does not run {services}; add to profiles: {profiles}, or "
        "write services.<service>.enabled: true"
    ),
    "group_services_disabled": mark(
        "the group {group} has no tools, because this stack does not run {services}; write "
        "services.<service>.enabled: true, or leave the group out"
    ),
    "group_name_twice": mark(
        "the tools {tool} and {other} both have the name {name} in this group, without regard to case; give one of them "
        "another name, or leave it out with exclude"
    ),
    "group_name_reserved": mark("{name} is a tool of the search; give the tool another name in this group"),
    "group_name_form": mark(
        "the tool {name} needs another name in this group: letters, digits, _ and -, as not all client programs take "
        "more"
    ),
    "group_name_long": mark(
        "client programs call the tool {prefix}{name}, which is longer than {most} characters; give it a shorter name "
        "in this group"
    ),
    "group_hint_read_only": mark(
        "{tool} writes, says {service}; a group cannot say that it only reads. Leave this hint out"
    ),
    "group_hint_destructive": mark(
        "{tool} may delete or overwrite, says {service}; a group cannot say that it does not. Leave this hint out"
    ),
    "tool_names_twice": mark(
        "{service} and {other} have tools of the same name, without regard to case: {names} ({files}); the hub tells "
        "tools apart by their names alone. Give those of one service other names at the hub, leave tools out (off below "
        "source.tools in {spec}, for a server of others), switch off one service (services.<service>.enabled: false in "
        "{stack_file}), or do without the hub (hub.enabled: false)"
    ),
    "many_tool_names_twice": mark(
        "{service} and {other} have tools of the same name, without regard to case: {names} ({files}); the hub tells "
        "tools apart by their names alone. Put a prefix before all names of one service at the hub: {command}. Or leave "
        "tools out (off below source.tools in {spec}, for a server of others), switch off one service "
        "(services.<service>.enabled: false in {stack_file}), or do without the hub (hub.enabled: false)"
    ),
    "hub_name_reserved": mark("{name} is a tool of the search; give the tool another name"),
    "hub_name_long": mark(
        "client programs call the tool {prefix}{name}, which is longer than {most} characters; give it a shorter name"
    ),
    "names_differ_in_case": mark(
        "{service} has names that differ only in case: {names} ({files}); the hub does not tell them apart. Rename or "
        "leave out one of each, switch the service off (services.{service}.enabled: false in {stack_file}), or do "
        "without the hub (hub.enabled: false)"
    ),
    "prompt_names_twice": mark(
        "{service} and {other} have prompts of the same name, without regard to case: {names} ({files}); the hub tells "
        "prompts apart by their names alone. Rename them in one service, switch off one service "
        "(services.<service>.enabled: false in {stack_file}), or do without the hub (hub.enabled: false)"
    ),
    "resource_owners_twice": mark(
        "{service} and {other} have resources whose addresses begin alike: {names} ({files}); the hub tells services "
        "apart by these beginnings. Change them in one service, switch off one service "
        "(services.<service>.enabled: false in {stack_file}), or do without the hub (hub.enabled: false)"
    ),
    "oauth_url": mark("{url!r} is unusable; write it like https://login.example.com/realms/pet, without a query"),
    "oauth_url_of_the_container": mark(
        "the hub fetches the keys from here, and in its container this address is the container itself; write jwksUri "
        "with an https:// address that containers reach, and privateAddresses: true if it is in a private network"
    ),
    "oauth_address_of_the_container": mark(
        "the hub fetches this address, and in its container it is the container itself; write an https:// address that "
        "containers reach, and privateAddresses: true if it is in a private network"
    ),
    "oauth_private_address": mark("{host} is in a private network; if that is intended, write privateAddresses: true"),
    "oauth_url_without_https": mark(
        "{url!r} must begin with https://, because tokens and keys come from there; http:// is only for this machine, "
        "such as http://localhost:8180"
    ),
    "oauth_public_url_without_https": mark(
        "oauth needs a publicUrl that begins with https://, because {url!r} would show the tokens of logins to the "
        "network; http:// is only for this machine, such as http://localhost:8180"
    ),
    "oauth_scope": mark("{scope!r} is no scope; possible: mcp, mcp:read, <service>, <service>:read"),
    "oauth_scope_service": mark("the scope {scope!r} names no service; known: {known}"),
    "oauth_without_users": mark(
        "say who may call: users (which users are which client) or otherUsers (the client whose permissions all other "
        "users have)"
    ),
    "oauth_issuer_twice": mark("each identity provider can be listed only once; listed twice: {urls}"),
    # The form of names
    "group_form": mark(
        "a group's name has only lower-case letters, digits, _ and -, begins with a letter or digit, and has at most 32 "
        "characters, such as pet; what people read is its title"
    ),
    "group_called_search": mark(
        "no group can be called search: client programs would show it as dyber-search, like the search of tools "
        "(./deploy.sh clients --search); choose another name, such as finding"
    ),
    "exposed_form": mark(
        "a tool's name in a group has only letters, digits, _ and -, and at most 64 characters, such as find_notes; what "
        "people read is its title"
    ),
    "service_form": mark(
        "a service's name has only lower-case letters, digits and -, begins with a letter, and has at most 31 "
        "characters, such as xiaohongshu"
    ),
    "alias_form": mark(
        "the short name of an identity provider has only lower-case letters, digits and -, begins with a letter, and "
        "has at most 16 characters, such as login"
    ),
    "client_form": mark(
        "a client's name has only lower-case letters, digits and -, begins with a letter, and has at most 31 "
        "characters, such as desktop-pet"
    ),
    "tool_form": mark(
        "a tool's name has only letters, digits and _ . -, and at most 128 characters, such as template_echo"
    ),
    "account_form": mark(
        "an account's name has only lower-case letters, digits, _ and -, begins with a letter or digit, and has at most "
        "32 characters, such as main"
    ),
    "scope_form": mark("must be all, read or a list of tools such as [template_echo]"),
}
