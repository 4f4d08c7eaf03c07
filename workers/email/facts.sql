-- What the fold knows of a mail by recipient and message_id: how far it came, where its recipient is, and what that recipient, or
-- anybody at that address, does not get.
SELECT message.state, contact.address, contact.locale,
       (SELECT CAST(JSON_ARRAYAGG(suppression.scope) AS CHAR)
        FROM email_suppressions AS suppression
        WHERE suppression.recipient IN (message.recipient, COALESCE(contact.address, message.recipient))) AS scopes
FROM email_messages AS message
LEFT JOIN email_contacts AS contact ON contact.recipient = message.recipient
WHERE message.recipient = ? AND message.message_id = ?
