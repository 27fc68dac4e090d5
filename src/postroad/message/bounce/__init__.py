"""Reading what comes back: bounces and complaints about messages of ours."""

from postroad.message.bounce.notice import (
    MAX_READ_OCTETS,
    Form,
    Notice,
    NoticeRecipient,
    read_notice,
    reply_of,
)

__all__ = ["MAX_READ_OCTETS", "Form", "Notice", "NoticeRecipient", "read_notice", "reply_of"]
