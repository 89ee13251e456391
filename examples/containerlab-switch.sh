#!/bin/sh
# What a switch of containerlab.clab.yml runs: the bridge with its $PORTS ports, then the agent.
set -e
until [ "$(ls /sys/class/net | grep -c '^eth[1-9]')" = "$PORTS" ]; do sleep 0.1; done
mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
ip link add br0 type bridge
ip link set br0 up
# Closed: the agent opens ports as it finds out what is behind them.
for port in $(ls /sys/class/net | grep '^eth[1-9]'); do
    ip link set "$port" up master br0
    bridge link set dev "$port" state 0
done
printf 'switch: %s\nbridge: br0\nports: auto\n' "$(hostname)" > /etc/smoc/agent.yaml
exec smoc agent --config /etc/smoc/agent.yaml
