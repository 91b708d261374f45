#!/bin/bash
# In the place of systemd, where only the agent and the disk matter: up in seconds, so that the power can go many times.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmpfs /run
mount -o remount,rw /
modprobe ftdi_sio
while [ ! -c /dev/ttyUSB0 ]; do sleep 0.1; done
chgrp dialout /dev/ttyUSB0
chmod 660 /dev/ttyUSB0
install -d -o collard -g collard -m 700 /var/lib/collard
BOOT_ID=$(cat /proc/sys/kernel/random/boot_id)
export BOOT_ID NODE_ENV=production
setpriv --reuid=collard --regid=collard --groups=dialout \
  /usr/lib/collard/bin/node /usr/lib/collard/dist/cli/bin.js agent --config /etc/collard/agent.yaml > /dev/console 2>&1 &
exec /usr/local/sbin/lab-shell
