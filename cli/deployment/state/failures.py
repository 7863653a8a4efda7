"""Explains the errors of Pulumi when it cannot reach the state, or the key that encrypts its secrets.

The patterns are error messages of Pulumi 3.259, of lib/pq and of the clouds' SDKs.
"""

from __future__ import annotations

from messages import mark

_UNREACHABLE = (
    r"(connection refused|no such host|no route to host|network is unreachable|i/o timeout|server misbehaving)"
)

#: (pattern, what happened, the next step), more specific patterns first.
STATE_FAILURES: list[tuple[str, str, str]] = [
    (
        r"incorrect passphrase",
        mark("wrong passphrase: this stack's state was encrypted with another one"),
        mark(
            "check PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE (./deploy.sh doctor shows "
            "which one is used); ask whoever shares the state for its passphrase; if the stack file came "
            "from somebody else and the state is your own, remove its line encryptionsalt; if passphrase "
            "and state are lost: ./deploy.sh recover"
        ),
    ),
    (
        r"passphrase must be set|unable to read PULUMI_CONFIG_PASSPHRASE_FILE",
        mark("no passphrase was given"),
        mark("run ./deploy.sh setup, or let PULUMI_CONFIG_PASSPHRASE_FILE name a file with the passphrase"),
    ),
    (
        r"currently locked by",
        mark("another run is using this stack"),
        mark("wait for it and try again; if it is surely gone, run: pulumi cancel -s <stack>"),
    ),
    (
        # Pulumi overwrites a state in a folder in place, so a reader may meanwhile find it cut short.
        r"failed to load checkpoint: .*(EOF|unexpected end of JSON)",
        mark("another run is writing this stack's state, or the machine went down while it was written"),
        mark(
            "wait for it and try again; if there is no other run: ./deploy.sh restore (with a backup) or "
            "./deploy.sh recover"
        ),
    ),
    (
        r"pq: password authentication failed|pq: no pg_hba\.conf entry|pq: role .* does not exist",
        mark("the state database refuses this user or password"),
        mark(
            "check the user in PULUMI_BACKEND_URL, and the password (in it, or in PGPASSWORD); ./deploy.sh "
            "doctor shows which one is used"
        ),
    ),
    (
        r"pq: database .* does not exist",
        mark("there is no such state database"),
        mark("create it (createdb NAME), or correct the name in PULUMI_BACKEND_URL"),
    ),
    (
        r"pq: permission denied",
        mark("this user lacks permissions in the state database"),
        mark("let it create, read and write tables there: GRANT CREATE ON SCHEMA public TO the user"),
    ),
    (
        r"pq: SSL is not enabled on the server",
        mark("the state database has no TLS"),
        mark("enable it there; only on this machine or a trusted network add ?sslmode=disable to the address"),
    ),
    (
        rf"failed to (ping|connect to) PostgreSQL: .*{_UNREACHABLE}",
        mark("the state database does not answer"),
        mark(
            "check address, port and network, and whether the database runs; ./deploy.sh doctor shows which one is used"
        ),
    ),
    (
        r"failed to (ping|connect to) PostgreSQL|unable to open state database|failed to create table",
        mark("the state database cannot be opened"),
        mark(
            "check PULUMI_BACKEND_URL against the database's message above; ./deploy.sh doctor shows which one is used"
        ),
    ),
    (
        r"operation error KMS: .*(NotFoundException|DisabledException|KMSInvalidStateException)",
        mark("there is no such key, or it is disabled"),
        mark(
            "check the key's name and region in the stack file's secretsprovider; what a lost key encrypted "
            "can only be restored from a backup"
        ),
    ),
    (
        r"operation error S3: .*NoSuchBucket",
        mark("there is no such state bucket"),
        mark("create it first (Pulumi does not), or correct bucket and region in PULUMI_BACKEND_URL"),
    ),
    (
        r"failed to refresh cached credentials|no EC2 IMDS role found|could not find default credentials"
        r"|missing google credentials|Options\.AccountName is required|DefaultAzureCredential"
        r"|neither VAULT_SERVER_URL nor VAULT_ADDR|neither VAULT_SERVER_TOKEN nor VAULT_TOKEN",
        mark("no credentials for the cloud"),
        mark(
            "set them: for AWS and S3 AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or AWS_PROFILE), for "
            "Google GOOGLE_APPLICATION_CREDENTIALS, for Azure AZURE_STORAGE_ACCOUNT and az login, for Vault "
            "VAULT_ADDR and VAULT_TOKEN"
        ),
    ),
    (
        r"InvalidAccessKeyId|SignatureDoesNotMatch|InvalidClientTokenId|UnrecognizedClient|InvalidSignature"
        r"|IncompleteSignature|ExpiredToken|AccessDenied|AuthorizationFailure",
        mark("the cloud refuses these credentials, or they lack permissions"),
        mark(
            "check whether the credentials (AWS_ACCESS_KEY_ID and so on) are valid and may use this bucket and this key"
        ),
    ),
    (
        rf"operation error KMS: .*{_UNREACHABLE}|secrets \(code=\w+\): .*{_UNREACHABLE}",
        mark("the key service does not answer"),
        mark(
            "check the network, and the stack file's secretsprovider with its region; without the key "
            "service no secret can be read, and nothing was changed"
        ),
    ),
    (
        rf"operation error S3: .*{_UNREACHABLE}",
        mark("the object storage with the state does not answer"),
        mark(
            "check endpoint and region in PULUMI_BACKEND_URL, and the network; ./deploy.sh doctor shows "
            "which one is used"
        ),
    ),
    (
        r"unable to open (bucket|state directory)|read \".pulumi/meta.yaml\"|could not list bucket",
        mark("the place of the state cannot be opened"),
        mark("check PULUMI_BACKEND_URL against the message above; ./deploy.sh doctor shows which one is used"),
    ),
    (
        r"PULUMI_ACCESS_TOKEN must be set",
        mark("no token for Pulumi Cloud"),
        mark("set PULUMI_ACCESS_TOKEN; without Pulumi Cloud, unset PULUMI_BACKEND_URL"),
    ),
]
