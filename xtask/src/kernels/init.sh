#!/bin/busybox sh
# The first process of the machine that `cargo xtask kernels` boots: runs the tests, says how they ended, switches off.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t bpf bpf /sys/fs/bpf
mount -t tmpfs tmp /tmp
insmod /veth.ko
ip link set lo up
echo "kernel $(uname -r)"
export SMOC_BPF_OBJECT=/objects/smoc.bpf.o RUST_BACKTRACE=0
/programs --test-threads=1 $(cat /arguments)
echo "ended with $?"
poweroff -f
