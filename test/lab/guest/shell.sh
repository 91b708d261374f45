#!/bin/bash
# The lab's way in: scripts come over a line of the virtual machine, one a line in base64, and what they said goes back.
# A machine that has lost its power has forgotten how it was called: each boot says so first.
while :; do
  for port in /dev/vport*p1; do [ -c "$port" ] && break 2; done
  sleep 0.1
done
exec 3<> "$port"
echo "boot $(cat /proc/sys/kernel/random/boot_id) $(cut -d ' ' -f 1 /proc/uptime)" >&3
while read -r id script <&3; do
  out=$(bash -c "$(printf %s "$script" | base64 -d)" 2>&1 < /dev/null 3>&- | base64 -w 0; exit "${PIPESTATUS[0]}")
  echo "$id $? $out" >&3
done
