# shellcheck shell=bash
# A day of a typing platform, for `ops/demo day`: all roles in two workers, killed and started again on the way, from typing and
# paying to unlocked tiers, receipts and mails. Sourced by ops/demo; mail goes to a mailbox on loopback that sends nothing on.
# shellcheck disable=SC2154

day_users=2000
# What is made up: topic, events.
day_events=(test-results:20000 payment-events:4000 keystroke-analytics:1000)
# Whoever lacks a contact waits for one: everybody's is set first, and little else with it.
day_contacts=2100
# Templates whose mails are sent again where nobody knows whether they were; of all others none may come twice.
day_twice="'receipt', 'refund', 'password-reset'"

all_roles() { "$fleet" roles --json | sed -n 's/^ *"role": "\(.*\)",$/\1/p' | paste -sd,; }

start_mailbox() {
  mailbox=$workers_dir/mailbox.json
  rm -f "$mailbox"
  FLEET_OPS_WORKER=$workers_dir "$ops/demo.d/mailbox" "$mailbox" >"$workers_dir/mailbox.log" 2>&1 </dev/null &
  echo $! >"$workers_dir/mailbox.pid"
  local end=$((SECONDS + 10))
  until grep -q '^smtp://' "$workers_dir/mailbox.log"; do
    [ "$SECONDS" -lt "$end" ] || die "the mailbox does not listen: $(tail -n 1 "$workers_dir/mailbox.log")"
    sleep 0.05
  done
  FLEET_SMTP_URL=$(head -n 1 "$workers_dir/mailbox.log")
  export FLEET_SMTP_URL FLEET_SMTP_FROM='Fleet demo <demo@example.org>' FLEET_SMTP_UNSUBSCRIBE_URL=https://example.org/unsubscribe
  # A day's mails within the demo.
  export FLEET_SMTP_RATE=3600000
  say mailbox "$FLEET_SMTP_URL takes every mail and keeps it"
}

make_up() { # TOPIC EVENTS
  "$fleet" simulate --topic "$1" --users "$day_users" --events "$2" --from "$day_began" --days 1 >"$workers_dir/simulate-$1.log" 2>&1 ||
    die "fleet simulate --topic $1 failed: $(tail -n 1 "$workers_dir/simulate-$1.log")"
}

live_the_day() {
  local wave roles number=1
  roles=$(all_roles)
  start_mailbox
  start_worker "$roles" 1
  start_worker "$roles" 2
  await_workers
  day_began=$(date -u -d '24 hours ago' +%Y-%m-%dT%H:%M:%SZ)
  say contacts "of $day_users users: fleet simulate --topic email-send"
  make_up email-send "$day_contacts"
  for wave in "${day_events[@]}"; do
    say events "${wave#*:} of ${wave%:*}: fleet simulate --topic ${wave%:*} --users $day_users --days 1"
    make_up "${wave%:*}" "${wave#*:}"
    say kill "worker $number of all roles, process $(pid_of "$roles" "$number"), with kill -9; started again at once"
    kill_worker "$roles" "$number"
    start_worker "$roles" "$number"
    number=$((3 - number))
  done
  await_the_evening
}

# Until no role has anything left, and no mail is to be sent, several looks in a row: roles derive events for one another.
await_the_evening() {
  local stop=$((SECONDS + 300)) calm=0 lag left open
  while [ "$calm" -lt 5 ]; do
    lag=$("$fleet" lag --json 2>"$workers_dir/lag.log")
    [ $? -le 1 ] || die "fleet lag failed: $(tail -n 1 "$workers_dir/lag.log")"
    left=$(sum_of records "$lag")
    open=$(sql "SELECT COUNT(*) FROM email_outbox WHERE due_at IS NOT NULL OR NOT reported" "$database") ||
      die "MySQL does not answer: ops/stack status"
    calm=$((left + open == 0 ? calm + 1 : 0))
    bar evening "$(($(sum_of end "$lag") - left))" "$(sum_of end "$lag")"
    workers_live || die "a worker ended: $(last_words)"
    [ "$SECONDS" -lt "$stop" ] || { "$fleet" lag >&2; die "something is left after 300 s: $left records, $open mails"; }
    sleep 0.3
  done
  clear_bar
  say evening "nothing is left in any partition, and every mail is out"
}

mail_ids() { sed -E 's/.*"id": "([^"]*)".*/\1/' "$mailbox"; }

show_day() {
  local in_box different
  heading "Unlocked, by achievement"
  table "SELECT achievement_id, COUNT(*) AS tiers, COUNT(DISTINCT user_id) AS users, SUM(points) AS points FROM user_achievements
    GROUP BY achievement_id ORDER BY tiers DESC LIMIT 8"
  heading "Payments, and the books"
  table "SELECT status, currency, COUNT(*) AS payments, SUM(captured) AS captured, SUM(refunded) AS refunded FROM payments
    GROUP BY status, currency ORDER BY payments DESC LIMIT 8"
  table "SELECT currency, SUM(debit) AS debits, SUM(credit) AS credits FROM ledger_entries GROUP BY currency ORDER BY debits DESC LIMIT 5"
  heading "Mails"
  table "SELECT template, state, COUNT(*) AS mails FROM email_messages GROUP BY template, state ORDER BY template, mails DESC"
  in_box=$(wc -l <"$mailbox")
  different=$(mail_ids | sort -u | wc -l)
  say mailbox "$in_box mails arrived, $different different ones"
  check_day
}

# Ids of derived mails are made of what they tell (version 5); made-up ones are not.
told_of() { sql "SELECT COUNT(*) FROM email_messages WHERE template = '$1' AND SUBSTRING(message_id, 15, 1) = '5'" "$database"; }

check_day() {
  local unbalanced
  check_told achievement 'unlocked tiers' "SELECT COUNT(*) FROM user_achievements"
  check_told receipt 'captured payments' "SELECT COUNT(*) FROM payments WHERE JSON_VALUE(announced, '$.receipt') = 'true'"
  check_told refund 'refunds' "SELECT COALESCE(SUM(JSON_LENGTH(announced, '$.refunds')), 0) FROM payments"
  unbalanced=$(sql "SELECT COUNT(*) FROM (SELECT currency FROM ledger_entries GROUP BY currency HAVING SUM(debit) <> SUM(credit)) AS u" "$database")
  [ "$unbalanced" = 0 ] || failed_check "the books of $unbalanced currencies do not balance"
  check_mailbox
}

check_told() { # TEMPLATE WHAT QUERY
  local wanted told
  wanted=$(sql "$3" "$database")
  told=$(told_of "$1")
  say chain "$wanted $2, $told mails of template $1 asked for"
  if [ -z "$wanted" ] || [ "$wanted" != "$told" ]; then failed_check "of $wanted $2 $told were told"; fi
}

# What a worker handed over right before it was killed may come again where the template says so, and never elsewhere.
check_mailbox() {
  local sent different twice again never
  sent=$(sql "SELECT COUNT(*) FROM email_outbox WHERE state = 'sent'" "$database")
  different=$(mail_ids | sort -u | wc -l)
  [ "$different" -ge "$sent" ] || failed_check "$sent mails were sent, $different arrived"
  twice=$(mail_ids | sort | uniq -d | sed -E "s/^<([^@]*)@.*/'\1'/" | paste -sd,)
  [ -n "$twice" ] || return 0
  again=$(sql "SELECT COUNT(*) FROM email_outbox WHERE message_id IN ($twice) AND template IN ($day_twice)" "$database")
  never=$(sql "SELECT COALESCE(GROUP_CONCAT(message_id), '') FROM email_outbox WHERE message_id IN ($twice) AND template NOT IN ($day_twice)" "$database")
  say mailbox "$again of them twice: handed over by a worker that was killed before it could write so down, of templates that may"
  [ -z "$never" ] || failed_check "mails that may be sent once alone came twice: $never"
}
