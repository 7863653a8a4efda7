"""Makes the text of a configuration's problems in the user's language; every message is in a table here.

The tables hold the English texts; the Chinese ones are in the catalogue (messages/zh/LC_MESSAGES/dyber.po).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from infra.schema.hub_messages import HUB_MESSAGES
from messages import mark, tr

if TYPE_CHECKING:
    from infra.schema.problems import Problem

#: The message of a problem that brings its own text, in the parameter `words`.
WORDS = "words"
#: By message, its text with the parameters in braces.
MESSAGES: dict[str, str] = {
    WORDS: "{words}",
    # Files
    "not_readable": mark("cannot be read: {reason}"),
    "no_file": mark("there is no file {path}"),
    "file_is_folder": mark("{path} is a folder; a file is needed"),
    "file_forbidden": mark("{path} must not be read by this user; change its permissions"),
    "file_not_pem": mark("{path} is not text in PEM form, which begins with -----BEGIN"),
    "file_without_certificate": mark(
        "{path} has no usable certificate in PEM form, which begins with -----BEGIN CERTIFICATE-----"
    ),
    "not_yaml": mark("not valid YAML: {reason}"),
    # A stack's file
    "no_such_service": mark("no such service; known: {known}"),
    "no_such_profile": mark("{profile!r}: no such profile; known: {known}"),
    "no_such_client": mark("no such client; known: {known}"),
    "no_such_tool": mark("{tool!r}: no such tool; known: {known}"),
    "tools_unknown": mark("the service has no tools.lock.json, so its tools are not known; only all is possible"),
    "accounts_not_limited": mark(
        "this service does not keep to scopes, so a client cannot be limited to some of its accounts; if it is built on "
        "the kit, write enforces_scopes: true in mcp-servers/{service}/service.yaml, and promote newer images if they "
        "are given by digest; otherwise leave it out of accounts and of the client's services"
    ),
    "no_accounts": mark(
        "this service has no accounts, so all its tools would stay open to the client; leave it out of accounts, and "
        "limit the client in services, such as read; if its tools do act for accounts, write accounts: true in "
        "mcp-servers/{service}/service.yaml"
    ),
    "pinned_image_missing": mark(
        "needed while images is pinned, as sha256:<64 hex digits>; this command writes it: {promote}"
    ),
    "pinned_hub_image_missing": mark(
        "needed while images is pinned and the stack has the hub; this command writes it: {promote}. Or do without the "
        "hub: ./deploy.sh config set hub.enabled false -s {stack}"
    ),
    "pinned_console_image_missing": mark(
        "needed while images is pinned and the stack has the console; this command writes it: {promote}. Or do without "
        "the console: ./deploy.sh config set console.enabled false -s {stack}"
    ),
    "client_called_console": mark(
        "no client can be called console, as the console calls services under this name; choose another name, such as "
        "console-user"
    ),
    "too_many_replicas": mark("this service has at most {most} (max_replicas in mcp-servers/{service}/service.yaml)"),
    "replicas_without_cache": mark(
        "the replicas of this service share the limits of an account through Redis, which the service does not use; "
        "write cache: true in mcp-servers/{service}/service.yaml, or run a single replica"
    ),
    "replicas_without_redis": mark(
        "the replicas of this service share the limits of an account through Redis, which this stack does not have; "
        "add cache to profiles, or run a single replica"
    ),
    "contract_missing": mark("needed while contracts is enforced; write it: ./deploy.sh tools lock {service}"),
    "no_service_enabled": mark("no service is enabled"),
    "token_in_stack_file": mark("no such key; tokens belong into {env_file}"),
    "stack_is_given": mark("given by the name of Pulumi's stack; remove it"),
    "token_without_client": mark("{client} is not among the clients of {stack_file}"),
    "client_twice": mark("each client can be listed only once; listed twice: {names}"),
    "token_without_previous": mark("generation 1 has no previous token"),
    "network_pool": mark("must be an IPv4 network such as {example}"),
    "network_pool_size": mark("must be a private network of the size /{prefix}, such as {example}"),
    "base_image_without_suite": mark("must contain {suite}, such as dyber-base:{suite} or debian:{suite}-slim"),
    "cache_password": mark("must be 16 to 128 visible ASCII characters without spaces"),
    "retention": mark(
        "must be a duration from 1h to 10y, in y, w, d, h and m, the largest first, such as 15d or 2h30m"
    ),
    # The gateway's settings
    "bind": mark("must be an IP address such as 127.0.0.1 or 0.0.0.0"),
    "public_url_form": mark(
        "must be an address such as https://pet.example.com or https://pet.example.com:8443, in lower case and without "
        "a path"
    ),
    "url_port": mark("the port after the host must be 1 to 65535, and an IPv6 address stands between [ and ]"),
    "host_name": mark(
        "host name {name!r} is unusable: a host name or an IP address without a port, such as pet.example.com, "
        "192.168.1.5 or [fd00::5]"
    ),
    "web_origin": mark(
        "web origin {origin!r} is unusable; write it like https://pet.example.com, http://localhost:6274, "
        "app://obsidian.md or null, in lower case, without a path"
    ),
    "tls_files_missing": mark("source: files needs certificateFile and keyFile"),
    "tls_files_unused": mark("certificateFile and keyFile are only for source: files"),
    "hsts_without_certificate": mark("hstsDays needs a certificate that browsers trust: source: files or acme"),
    "acme_without_name": mark("tls.source: acme needs a host name in serverNames, such as pet.example.com"),
    # The gateway's configuration
    "service_name": mark(
        "service name {name!r} is unusable: lower-case letters, digits and hyphens, beginning with a letter, at most "
        "40 characters, such as xiaohongshu"
    ),
    "service_port": mark(
        "port {port} of service {service} is unusable: 1 to 65535, and none of the gateway's own ports ({taken})"
    ),
    "service_call_seconds": mark("max_call_seconds {seconds} of service {service} is unusable: 1 to 86400 seconds"),
    "tool_name": mark(
        "tool name {tool!r} of service {service} is unusable: letters, digits and _ . -, at most 128 characters"
    ),
    "client_name": mark(
        "client name {name!r} is unusable: lower-case letters, digits and . _ -, at most 63 characters, such as "
        "desktop-pet"
    ),
    "group_name": mark(
        "group name {name!r} is unusable: lower-case letters, digits and _ -, beginning with a letter or digit, at most "
        "32 characters"
    ),
    "client_without_token": mark("client {client} has no token"),
    "client_token_hash": mark("token_sha256 of client {client} must be SHA-256 hashes, 64 lower-case hex digits"),
    "network_range": mark("{key} {network!r} is unusable: a network such as 172.18.0.0/16"),
    "nginx_value": mark("{value!r} cannot be written into an Nginx configuration"),
    "service_name_twice": mark("service name used twice: {values}"),
    "service_port_twice": mark("service port used twice: {values}"),
    "client_name_twice": mark("client name used twice: {values}"),
    "token_twice": mark("two clients have the same token"),
    "scope": mark("scope {scope!r} of client {client} for service {service} is unusable: all, read or names of tools"),
    "account_names": mark(
        "account names {names!r} of client {client} for service {service} are unusable: lower-case letters, digits and "
        "_ -, beginning with a letter or digit, at most 32 characters, such as main"
    ),
    "accounts_not_enforced": mark(
        "client {client} is limited to some accounts of service {service}, which does not keep to scopes"
    ),
    "accounts_missing": mark("client {client} is limited to some accounts of service {service}, which has no accounts"),
    "scope_too_long": mark(
        "the tools and accounts of client {client} for service {service} are too long together: at most {most} "
        "characters; write all or read instead of some tools"
    ),
    "hub_scope_too_long": mark(
        "the lists of tools of client {client} are too long together: at most {most} characters for all services; "
        "write all or read for some of them"
    ),
    "scope_tools": mark(
        "the scope of client {client} names tools that service {service} does not have: {unknown}; known: {known}"
    ),
    **HUB_MESSAGES,
    # Alerts
    "stack_form": mark(
        "a stack's name has only lower-case letters, digits and -, begins with a letter, and has at most 31 characters, "
        "such as dev or my-test"
    ),
    "alert_receiver_form": mark(
        "must be lower-case letters, digits and -, beginning with a letter, at most 31 characters"
    ),
    "span_collector": mark(
        "must begin with http:// or https:// and have neither a user name nor a query, such as "
        "https://otlp.example.com:4318"
    ),
    "span_header": mark("{name} cannot be a header of the requests; write a name such as authorization"),
    "span_header_value": mark("must be 1 to 4096 visible ASCII characters, with spaces only between them"),
    "alert_visible": mark("must be 1 to 1000 visible ASCII characters"),
    "alert_host": mark(
        "each part of the host name must have 1 to {longest} characters between the dots, such as open.feishu.cn"
    ),
    "alert_repeat": mark("must be 5m to 7d, such as 30m, 12h or 1d"),
    "alert_secret_unfit": mark("secret is only for {kinds}, not for {kind}; leave it out"),
    "alert_url": mark(
        "url must be a whole address such as {example}; it may begin with http only with privateAddresses: true"
    ),
    "alert_url_missing": mark(
        "this key is missing: the webhook's whole address, such as {example}; write it (the command reads the value from "
        "its input): {command}"
    ),
    "alert_url_without_key": mark("url has no key; write the whole address of the webhook, such as {example}"),
    # Secrets
    "secret_empty": mark("must not be empty"),
    "secret_text": mark("must be text of at most {bytes} bytes"),
    "secret_in_clear": mark(
        "a secret in clear text; delete it there, change it where it was issued, then run (the command reads the value "
        "from its input): {command}"
    ),
    "secret_not_declared": mark("not declared in the secrets of mcp-servers/{service}/service.yaml; known: {known}"),
    "secret_name_misspelt": mark(
        "not declared in the secrets of mcp-servers/{service}/service.yaml; did you mean {near}"
    ),
    "secret_missing": mark(
        "the service needs this secret; write it (the command reads the value from its input): {command}"
    ),
    "secret_in_environment": mark("a secret; delete it there, change it where it was issued, then run: {command}"),
    # .env
    "env_unreviewed": mark(
        "would override {reviewed}, which was reviewed, so nothing was changed; to use these keys, write "
        "dyber:localEnv: true in {reviewed}; otherwise clear them here and write the values in {reviewed}"
    ),
    "env_not_text": mark(
        "has bytes that are not UTF-8 text: correct this line in an editor, or save the file as UTF-8; if the whole "
        "file is damaged, move it away and put a backup in its place"
    ),
    "env_no_pair": mark("not understood; write KEY=value"),
    "env_key_misspelt": mark("no such key, did you mean {near}"),
    "env_boolean": mark("must be true or false"),
    "env_token": mark("must be 32 to 256 letters, digits or . _ ~ + / = -"),
    "env_domain": mark("must be host names or IP addresses, such as pet.example.com"),
    "env_profiles": mark("must be profiles, such as dev,cache; default means none"),
    "env_generation": mark("must be a whole number"),
    "env_log_level": mark("must be one of {levels}"),
    # service.yaml
    "no_catalog": mark("no such folder: {folder}"),
    "service_folder_name": mark(
        "folder name {name!r} cannot be used: lower-case letters, digits and hyphens, beginning with a letter, at most "
        "31 characters"
    ),
    "service_no_mapping": mark("must be keys and values, such as port: 8003"),
    "given_by_the_folder": mark("given by the folder; remove it"),
    "package_missing": mark("file {path} is missing"),
    "package_and_source": mark("package and source exclude each other: a source needs no code in the folder"),
    "no_package_and_no_source": mark(
        "package is missing: the Python package in this folder; or write source: with a program of others, such as "
        "npm: '@scope/name@1.2.3'"
    ),
    # source: of a service.yaml
    "source_kinds": mark("must have exactly one of {kinds}; given: {given}"),
    "source_reference": mark(
        "{kind}: {reference!r} names no exact version; write it like {example}. ./deploy.sh add-service finds the "
        "version and writes it"
    ),
    "source_key_unfit": mark("{key} is only for {kinds}, not for {kind}; leave it out"),
    "source_command_missing": mark("command is missing: the name of the program that the {kind} package brings"),
    "source_placeholder": mark(
        "{placeholder} is not known; an argument can have {known}, and secrets go in environment"
    ),
    "source_argument_lines": mark("must be a single line"),
    "source_requirement": mark("{value!r} is not a requirement; write it like mcp<2, without an address"),
    "source_variable": mark(
        "{name!r} cannot be the name of a variable: letters, digits and _, not beginning with a digit"
    ),
    "source_variable_reserved": mark("the image sets the variable {name}; leave it out"),
    "source_header": mark("{name!r} cannot be the name of an HTTP header"),
    "source_header_value": mark("the value of the header {name} must be visible ASCII characters"),
    "source_url": mark("must be an address such as {example}"),
    "source_url_user": mark(
        "must not hold a user or password; write a header, such as Authorization: Bearer ${TOKEN}, and declare TOKEN "
        "in secrets"
    ),
    "source_url_http": mark("must begin with https://; http is only possible with private_network: true"),
    "source_url_private": mark(
        "{host} is in a private network; if that is intended, write private_network: true in source"
    ),
    "source_url_transport": mark("a url needs transport: streamable-http or sse"),
    "source_url_child": mark("child is only for programs that run here; leave it out"),
    "source_stdio_listens": mark("listens, port_variable and path are only for transport: streamable-http or sse"),
    "source_variable_port": mark(
        "a program gets its port otherwise: write transport, listens with the port, and port_variable: PORT"
    ),
    "source_port_variable_twice": mark("{name} is port_variable, so it gets the port; leave it out of environment"),
    "source_own_address": mark(
        "{names}: where the service itself listens is decided by port; where its program listens: source.listens and "
        "source.port_variable"
    ),
    "source_listens_own_port": mark("the service itself listens at {port}; its program needs another port in listens"),
    "source_listens_missing": mark("transport: {transport} needs listens: the port at which the program listens"),
    "source_listening_child": mark("a program with transport: {transport} serves all callers; write child: shared"),
    "source_children_shared": mark("children is only for child: session or pool"),
    "source_names_undeclared": mark(
        "{names}: used in source, but neither in environment nor in secrets; declare them there"
    ),
    "source_data_missing": mark("${data} in an argument needs data: true"),
    "source_url_internet": mark("a url source needs internet: true"),
    "source_debian_packages": mark("debian_packages cannot be installed for a source of the kind {kind}"),
    "source_accounts": mark("accounts and account_limits are only for services that are built on the kit"),
    "source_pool_data": mark(
        "the processes of child: pool would all write the same folder /data; write child: shared, or leave data out"
    ),
    "source_session_replicas": mark("child: session needs max_replicas: 1, as a session lives in one process"),
    # Locks of a source
    "source_lock_missing": mark("the lock of the source is missing; write it: ./deploy.sh lock {service}"),
    "source_lock_unreadable": mark("cannot be read: {reason}; write it anew: ./deploy.sh lock {service}"),
    "source_lock_differs": mark(
        "locks {locked}, but service.yaml says {wanted}; lock it anew: ./deploy.sh lock {service}"
    ),
    "source_lock_command": mark("the package has no program {command!r}; write one of these as command: {known}"),
    "source_lock_no_hash": mark("{package} has no hash; write the lock anew: ./deploy.sh lock {service}"),
    "source_lock_address": mark(
        "{package} has an address (resolved), which binds the lock to one registry; write it anew: "
        "./deploy.sh lock {service}"
    ),
    "source_lock_no_program": mark("the image names no program; write it as command in service.yaml"),
    "no_port_left": mark("all ports from {first} to {last} are taken"),
    "service_name_reserved": mark("service name {name!r} has another meaning; choose another"),
    "service_name_of_a_part": mark(
        "service name {name!r} is unusable: a part that the system makes for the service {service} has this name; "
        "choose another"
    ),
    "service_name_ending": mark(
        "service name {name!r} is unusable: names that end with -{ending} belong to parts that the system makes for "
        "{service}; choose another"
    ),
    "service_name_elsewhere": mark(
        "service name {name!r} has another meaning for tools, tests or Windows; choose another"
    ),
    "service_to_be_renamed": mark(
        "{reason}. Where it was deployed: rename the folder (same port) and deploy; its data is still in the volume "
        "dyber-<stack>-{name}-data, see “Rename a service” in docs/recovery.en.md for moving it"
    ),
    "service_called_like_another": mark("{name} is another name of the service {other}; choose another"),
    "port_taken": mark("taken by {owner}; {free} is free"),
    "profile_word": mark("a profile cannot be called {words}: these are words of --profile"),
    "secret_name": mark("a secret's name neither begins with DYBER_ nor ends with _FILE"),
    "account_limits_without_data": mark(
        "account_limits: true needs data: true, because the day's counts survive a restart only on the data volume"
    ),
    "secret_and_environment": mark("{names}: declared under secrets, so it cannot be under environment as well"),
    # Images and volumes
    "source_missing": mark("file is missing: {path}"),
    "images_of_newer_program": mark(
        "{images} are of a newer version (this program has {interface}); nothing was changed. Update the program "
        "first: ./deploy.sh update"
    ),
    "images_of_older_program": mark(
        "{images} are of an older version (this program needs {interface}); nothing was changed. Deploy the stack they "
        "come from, then promote again: {promote}"
    ),
    "volumes_unknown": mark(
        "The Docker engine did not list its data volumes; nothing was changed. Run ./deploy.sh doctor: {reason}"
    ),
    "volume_of_another_stack": mark(
        "Volume {volume} holds the data of {other_service} in stack {other_stack}; {service} in stack {stack} cannot "
        "use it. Rename one of the services, or back that volume up and delete it: ./deploy.sh clean -s {other_stack}"
    ),
    # mcp-servers/catalog/
    "foreign_reaches": mark("internet: true needs reaches, the hosts it talks to, and reaches needs internet: true"),
    "foreign_needs": mark("a required secret needs needs, which says where users get it"),
    "foreign_service": mark("cannot be a service: {key}: {reason}"),
    # tools.lock.json
    "contract_not_readable": mark("cannot be read; write it anew: ./deploy.sh tools lock"),
    "contract_changed_by_hand": mark(
        "is not the hash of the tools in it (edited by hand?); write it anew: ./deploy.sh tools lock"
    ),
    "accepted_reason": mark("write in your own words why the finding is harmless"),
    "poisoned_tool": mark(
        "{code}: {title}: {excerpt}\n  {explanation} {advice} To accept it, with a reason, in {file}"
    ),
}
#: By Pydantic's error type (https://docs.pydantic.dev/latest/errors/validation_errors/), its text with the values of
#: the error's context in braces.
PYDANTIC_MESSAGES: dict[str, str] = {
    "extra_forbidden": mark("no such key"),
    "missing": mark("this key is missing"),
    "int_parsing": mark("must be a whole number"),
    "int_type": mark("must be a whole number"),
    "int_from_float": mark("must be a whole number"),
    "float_parsing": mark("must be a number"),
    "float_type": mark("must be a number"),
    "bool_parsing": mark("must be true or false"),
    "bool_type": mark("must be true or false"),
    "string_type": mark("must be text"),
    "string_pattern_mismatch": mark("does not have the right form; it must match {pattern}"),
    "list_type": mark("must be a list"),
    "tuple_type": mark("must be a list"),
    "dict_type": mark("must be keys and values"),
    "model_type": mark("must be keys and values"),
    "literal_error": mark("must be one of {expected}"),
    "string_too_short": mark("must have at least {min_length} characters"),
    "string_too_long": mark("must have at most {max_length} characters"),
    "too_short": mark("must have at least {min_length} entries"),
    "too_long": mark("must have at most {max_length} entries"),
    "greater_than_equal": mark("must be at least {ge}"),
    "greater_than": mark("must be more than {gt}"),
    "less_than_equal": mark("must be at most {le}"),
    "less_than": mark("must be less than {lt}"),
}


def text(problem: Problem) -> str:
    """Return a problem in words: where it is and what is there, what is wrong, and what to write instead."""
    place = _place(problem)
    words = filled_in(problem.message, problem.parameters)
    lines = [f"{place}: {words}" if place else words]
    if problem.instead:
        lines += ["  " + tr("write:"), *(f"    {line}" for line in problem.instead)]
    if problem.known_keys:
        lines.append("  " + tr("known keys: {keys}", keys=", ".join(problem.known_keys)))
    return "\n".join(lines)


def filled_in(message: str, parameters: Mapping[str, Any]) -> str:
    """Return a message with its parameters, without a place."""
    if template := MESSAGES.get(message) or PYDANTIC_MESSAGES.get(message):
        return tr(template, **parameters)
    # An error type of Pydantic that the table lacks has English words only.
    return tr("cannot be used: {words}", **parameters)


def listed(names: Iterable[str]) -> str:
    """Return names as messages list them; a dash for none."""
    return ", ".join(names) or "-"


def _place(problem: Problem) -> str:
    where = problem.file if problem.line is None else f"{problem.file}:{problem.line}"
    key = _key(problem)
    return f"{where}: {key}" if where and key else where or key


def _key(problem: Problem) -> str:
    value = ""
    if problem.shows_value:
        # An address may hold a user and a password.
        value = re.sub(r"(://)[^/@\s]+@", r"\1****@", f" = {problem.value!r}")
    path = ".".join(problem.path)
    if not path and problem.message not in MESSAGES:
        path = "(root)"
    return f"{path}{value}"
