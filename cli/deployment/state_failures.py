"""What Pulumi says when it cannot reach the state or the key that its secrets are encrypted with, and what to do.

In the words of Pulumi 3.259, of lib/pq and of the clouds' SDKs.
"""

from __future__ import annotations

_DOCTOR = ("./deploy.sh doctor 显示用的是哪一个", "./deploy.sh doctor shows which one is used")
_UNREACHABLE = (
    r"(connection refused|no such host|no route to host|network is unreachable|i/o timeout|server misbehaving)"
)

#: (pattern, zh, en, zh step, en step), the special ones first.
STATE_FAILURES: list[tuple[str, str, str, str, str]] = [
    (
        r"incorrect passphrase",
        "口令不对：这个栈的状态是用另一个口令加密的",
        "wrong passphrase: this stack's state was encrypted with another one",
        "检查 PULUMI_CONFIG_PASSPHRASE 或 PULUMI_CONFIG_PASSPHRASE_FILE（./deploy.sh doctor 会显示用的是哪一个）；"
        "与别人共用状态时，向他要口令；若栈文件来自别人而状态是自己的，删去其中的 encryptionsalt 一行；"
        "口令和状态都丢了：./deploy.sh recover",
        "check PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE (./deploy.sh doctor shows which one is used); "
        "ask whoever shares the state for its passphrase; if the stack file came from somebody else and the state is "
        "your own, remove its line encryptionsalt; if passphrase and state are lost: ./deploy.sh recover",
    ),
    (
        r"passphrase must be set|unable to read PULUMI_CONFIG_PASSPHRASE_FILE",
        "没有给出口令",
        "no passphrase was given",
        "运行 ./deploy.sh setup，或让 PULUMI_CONFIG_PASSPHRASE_FILE 指向有口令的文件",
        "run ./deploy.sh setup, or let PULUMI_CONFIG_PASSPHRASE_FILE name a file with the passphrase",
    ),
    (
        r"currently locked by",
        "这个栈正被另一次运行使用",
        "another run is using this stack",
        "等它结束后重试；确认它已不在时运行 pulumi cancel -s <栈>",
        "wait for it and try again; if it is surely gone, run: pulumi cancel -s <stack>",
    ),
    (
        # Pulumi writes the state of a folder in place: who reads it meanwhile finds it cut.
        r"failed to load checkpoint: .*(EOF|unexpected end of JSON)",
        "这个栈的状态正由另一次运行写入，或写到一半时断了电",
        "another run is just writing this stack's state, or it was cut when the machine went down",
        "等它结束后重试；没有别的运行时：./deploy.sh restore（有备份）或 ./deploy.sh recover",
        "wait for it and try again; if there is no other run: ./deploy.sh restore (with a backup) or ./deploy.sh recover",
    ),
    (
        r"pq: password authentication failed|pq: no pg_hba\.conf entry|pq: role .* does not exist",
        "状态数据库不接受这个用户或口令",
        "the state database refuses this user or password",
        f"检查 PULUMI_BACKEND_URL 里的用户，和口令（写在其中，或用 PGPASSWORD）；{_DOCTOR[0]}",
        f"check the user in PULUMI_BACKEND_URL, and the password (in it, or in PGPASSWORD); {_DOCTOR[1]}",
    ),
    (
        r"pq: database .* does not exist",
        "没有这个状态数据库",
        "there is no such state database",
        "创建它（createdb 库名），或改正 PULUMI_BACKEND_URL 里的库名",
        "create it (createdb NAME), or mend the name in PULUMI_BACKEND_URL",
    ),
    (
        r"pq: permission denied",
        "状态数据库的这个用户权限不够",
        "this user may not do that in the state database",
        "授予它在库里建表和读写的权限：GRANT CREATE ON SCHEMA public TO 用户",
        "let it make tables there, and read and write them: GRANT CREATE ON SCHEMA public TO the user",
    ),
    (
        r"pq: SSL is not enabled on the server",
        "状态数据库没有启用 TLS",
        "the state database has no TLS",
        "为它启用 TLS；只在本机或可信网络里，才在地址后加 ?sslmode=disable",
        "enable it there; only on this machine or a trusted network add ?sslmode=disable to the address",
    ),
    (
        rf"failed to (ping|connect to) PostgreSQL: .*{_UNREACHABLE}",
        "连不上状态数据库",
        "the state database does not answer",
        f"检查地址、端口和网络，以及数据库是否在运行；{_DOCTOR[0]}",
        f"check address, port and network, and whether the database runs; {_DOCTOR[1]}",
    ),
    (
        r"failed to (ping|connect to) PostgreSQL|unable to open state database|failed to create table",
        "打不开状态数据库",
        "the state database cannot be opened",
        f"按上面数据库的原话检查 PULUMI_BACKEND_URL；{_DOCTOR[0]}",
        f"check PULUMI_BACKEND_URL against the database's words above; {_DOCTOR[1]}",
    ),
    (
        r"operation error KMS: .*(NotFoundException|DisabledException|KMSInvalidStateException)",
        "没有这把密钥，或它已停用",
        "there is no such key, or it is disabled",
        "检查栈文件里 secretsprovider 的密钥名和区域；密钥没有了，它加密的机密就解不开，只能从备份恢复",
        "check the key's name and region in the stack file's secretsprovider; what a lost key encrypted can only be had "
        "back from a backup",
    ),
    (
        r"operation error S3: .*NoSuchBucket",
        "没有这个状态桶",
        "there is no such state bucket",
        "先创建它（Pulumi 不会替你建），或改正 PULUMI_BACKEND_URL 里的桶名和区域",
        "create it first (Pulumi does not), or mend bucket and region in PULUMI_BACKEND_URL",
    ),
    (
        r"failed to refresh cached credentials|no EC2 IMDS role found|could not find default credentials"
        r"|missing google credentials|Options\.AccountName is required|DefaultAzureCredential"
        r"|neither VAULT_SERVER_URL nor VAULT_ADDR|neither VAULT_SERVER_TOKEN nor VAULT_TOKEN",
        "没有云的访问凭据",
        "no credentials for the cloud",
        "设置它们：AWS 与 S3 用 AWS_ACCESS_KEY_ID 和 AWS_SECRET_ACCESS_KEY（或 AWS_PROFILE），Google 用 "
        "GOOGLE_APPLICATION_CREDENTIALS，Azure 用 AZURE_STORAGE_ACCOUNT 和 az login，Vault 用 VAULT_ADDR 和 VAULT_TOKEN",
        "set them: for AWS and S3 AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or AWS_PROFILE), for Google "
        "GOOGLE_APPLICATION_CREDENTIALS, for Azure AZURE_STORAGE_ACCOUNT and az login, for Vault VAULT_ADDR and "
        "VAULT_TOKEN",
    ),
    (
        r"InvalidAccessKeyId|SignatureDoesNotMatch|InvalidClientTokenId|UnrecognizedClient|InvalidSignature"
        r"|IncompleteSignature|ExpiredToken|AccessDenied|AuthorizationFailure",
        "云不接受这些凭据，或它们的权限不够",
        "the cloud refuses these credentials, or they may not do that",
        "检查 AWS_ACCESS_KEY_ID 等凭据是否有效、有没有读写这个桶和使用这把密钥的权限",
        "check whether the credentials (AWS_ACCESS_KEY_ID and so on) are valid and may use this bucket and this key",
    ),
    (
        rf"operation error KMS: .*{_UNREACHABLE}|secrets \(code=\w+\): .*{_UNREACHABLE}",
        "连不上密钥服务",
        "the key service does not answer",
        "检查网络、栈文件里的 secretsprovider 和它的区域；没有密钥服务，机密就解不开，什么也没有改变",
        "check the network, and the stack file's secretsprovider with its region; without the service no secret can be "
        "read, and nothing was changed",
    ),
    (
        rf"operation error S3: .*{_UNREACHABLE}",
        "连不上放状态的对象存储",
        "the object storage with the state does not answer",
        f"检查 PULUMI_BACKEND_URL 里的 endpoint、区域和网络；{_DOCTOR[0]}",
        f"check endpoint and region in PULUMI_BACKEND_URL, and the network; {_DOCTOR[1]}",
    ),
    (
        r"unable to open (bucket|state directory)|read \".pulumi/meta.yaml\"|could not list bucket",
        "打不开放状态的地方",
        "what holds the state cannot be opened",
        f"按上面的原话检查 PULUMI_BACKEND_URL；{_DOCTOR[0]}",
        f"check PULUMI_BACKEND_URL against the words above; {_DOCTOR[1]}",
    ),
    (
        r"PULUMI_ACCESS_TOKEN must be set",
        "没有 Pulumi Cloud 的令牌",
        "no token for Pulumi Cloud",
        "设置 PULUMI_ACCESS_TOKEN；不用 Pulumi Cloud 时去掉 PULUMI_BACKEND_URL",
        "set PULUMI_ACCESS_TOKEN; without Pulumi Cloud, unset PULUMI_BACKEND_URL",
    ),
]
