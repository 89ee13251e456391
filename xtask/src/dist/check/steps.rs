//! What a package has to do on a machine, in order: each step is a sentence and the script that shows it.
//!
//! The machine is a switch, with another one and two hosts in namespaces; /root/smoc.deb is the package, /root/next.deb one with a newer version.

/// What comes before each script: `not COMMAND` ends it with an error if the command succeeds, which `!` would not.
pub const PRELUDE: &str = r#"not() { if "$@"; then echo "this should have failed: $*" >&2; exit 1; fi; }"#;

/// Sentences and scripts; a script that does not end with 0 has shown the opposite.
pub const STEPS: &[(&str, &str)] = &[
    ("what is there before is noted", BEFORE),
    ("the package installs", "dpkg -i /root/smoc.deb && dpkg --verify smoc && smoc --version"),
    ("nothing is enabled and nothing runs", IDLE),
    ("systemd finds no fault in the units", UNITS),
    ("without a configuration the agent does not start, and says what to write", UNCONFIGURED),
    ("every verb has a man page that can be read", PAGES),
    ("bash completes verbs and options", BASH),
    (
        "zsh and fish complete verbs",
        "zsh -fc 'autoload -U compinit; compinit -D; [ $_comps[smoc] = _smoc ]'\n\
        fish -c 'complete -C \"smoc what-\"' | grep -q '^what-if'",
    ),
    (
        "the examples in the documentation are sound",
        "cd /usr/share/doc/smoc/examples && smoc check demo.yaml diamond.yaml",
    ),
    ("the service forwards between two hosts, with the programs inside the command", SWITCH),
    ("a capture sees frames, with the object inside the command", CAPTURE),
    ("smoc host sets endpoints", HOST),
    ("an upgrade replaces the agent and loses no frame", UPGRADE),
    ("an upgrade leaves the endpoints of hosts where they are", HOST_UPGRADED),
    ("removing takes the programs out of the kernel and keeps the configuration", REMOVE),
    ("what was enabled runs again when it is installed again", REINSTALL),
    ("purging leaves nothing", PURGE),
];

/// Files by name, and what is in those below /etc; without what the system itself writes while it runs.
const BEFORE: &str = r"
cat > /root/list <<'END'
find / -xdev \( -path /root -o -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/log \
    -o -path /var/tmp -o -path /var/cache/man -o -path /var/lib/dpkg -o -path /var/lib/systemd \) -prune -o -print | sort
find /etc -type f -exec md5sum {} + | sort
END
sh /root/list > /root/before
test -s /root/before";

const IDLE: &str = "
not systemctl is-enabled smoc.service
not systemctl is-enabled smoc-host.service
not systemctl is-active smoc.service
not systemctl is-active smoc-host.service";

const UNITS: &str = "
verified=$(systemd-analyze verify smoc.service smoc-host.service 2>&1 | grep -i smoc || true)
echo \"$verified\"
test -z \"$verified\"";

const UNCONFIGURED: &str = "
not systemctl start smoc.service
systemctl stop smoc.service
systemctl reset-failed smoc.service || true
journalctl --no-pager --unit smoc.service | grep 'agent.yaml.*switch'
smoc check /etc/smoc/agent.yaml && exit 1 || test $? = 2";

const PAGES: &str = "
mandb --quiet
for page in /usr/share/man/man1/smoc*.gz; do
    said=$(man --warnings --local-file $page 2>&1 >/dev/null)
    test -z \"$said\" || { echo \"$page: $said\"; exit 1; }
done
man -l /usr/share/man/man1/smoc-what-if.1.gz | grep -e '--fail'
man smoc-fabric-drain | grep -i drain";

/// Typed into a terminal, because that is where completion is.
const BASH: &str = r"
type_it() {
    sleep 1; printf '. /usr/share/bash-completion/bash_completion\n'
    sleep 1; printf 'smoc what-\t--fa\t\n'
    sleep 1; printf 'exit 0\n'
}
type_it | script -qec 'bash --norc -i' /dev/null > /root/typed
cat /root/typed
grep -q 'smoc what-if --fail' /root/typed";

/// The service is switch e1 with host h1 at p1; p2 leads to e2, a switch in a namespace, whose agent is started by hand, with h2.
const SWITCH: &str = "
ip netns add e2
ip netns add h1
ip netns add h2
ip link add p1 type veth peer name eth0 netns h1
ip link add p2 type veth peer name p2 netns e2
ip -n e2 link add p1 type veth peer name eth0 netns h2
bridge_of() {
    $1 ip link add br0 type bridge
    $1 ip link set br0 up
    for port in p1 p2; do
        $1 ethtool -K $port gro on rxvlan off > /dev/null
        $1 ip link set $port up master br0
        $1 bridge link set dev $port state 0
    done
}
bridge_of ''
bridge_of 'nsenter --net=/run/netns/e2'
for i in 1 2; do
    ip -n h$i link set eth0 up
    ip -n h$i address add 10.0.0.$i/24 dev eth0
    ip netns exec h$i ethtool -K eth0 gro on tx off > /dev/null
done
mkdir /root/e2
printf 'switch: e2\\nbridge: br0\\nports: auto\\nprefixes: [10.0.0.0/24]\\napi: /root/e2/api.sock\\nstate: /root/e2\\n' > /root/e2/agent.yaml
echo 'bpf: {pin: /sys/fs/bpf/e2}' >> /root/e2/agent.yaml
printf 'switch: e1\\nbridge: br0\\nports: auto\\nprefixes: [10.0.0.0/24]\\n' > /etc/smoc/agent.yaml
smoc check /etc/smoc/agent.yaml
systemctl enable --now smoc.service || { journalctl --no-pager --lines 20 --unit smoc.service; exit 1; }
cp /usr/bin/smoc /root/e2/smoc
systemd-run --quiet --unit e2 nsenter --net=/run/netns/e2 /root/e2/smoc agent --config /root/e2/agent.yaml
for i in $(seq 60); do
    ip netns exec h1 ping -q -c 3 -i 0.1 -W 1 10.0.0.2 > /dev/null || true
    smoc status > /root/status
    grep '^plain ' /root/status && break
    sleep 0.5
done
cat /root/status
grep '^delivered ' /root/status
ip link show p1 | grep -q xdp
ip netns exec h1 ping -q -c 100 -i 0.01 10.0.0.2 | grep ' 0% packet loss'";

const CAPTURE: &str = "
ip netns exec h1 ping -q -c 100 -i 0.05 10.0.0.2 > /dev/null &
timeout 20 smoc capture host 10.0.0.2 --count 5 | tee /root/captured
grep -q 10.0.0.2 /root/captured";

const HOST: &str = "
ip link add fabric0 type veth peer name fabric1
ip link set fabric0 up
ip link set fabric1 up
ip address add 10.9.0.1/24 dev fabric0
printf 'role: server\\ninterfaces: [fabric0]\\n' > /etc/smoc/host.yaml
systemctl enable --now smoc-host.service || { journalctl --no-pager --lines 20 --unit smoc-host.service; exit 1; }
for i in $(seq 50); do test $(ip mptcp endpoint show | grep -c 10.9.0.1) = 3 && break; sleep 0.1; done
ip mptcp endpoint show | tee /root/endpoints
test $(grep -c 10.9.0.1 /root/endpoints) = 3";

const UPGRADE: &str = "
plain() { smoc status | sed -n 's/^plain  *\\([0-9]*\\).*/\\1/p'; }
before=$(plain)
old=$(systemctl show --property MainPID --value smoc.service)
ip -details link show p1 | grep -o 'prog/xdp id [0-9]*'
ip monitor link dev p1 > /root/link-changes &
monitor=$!
ip netns exec h1 ping -q -i 0.002 10.0.0.2 > /root/pinged &
sleep 1
dpkg -i --force-confold /root/next.deb
sleep 2
systemctl is-active smoc.service || { journalctl --no-pager --lines 20 --unit smoc.service; exit 1; }
ping=$(pidof ping)
kill -INT $ping
kill $monitor
wait || true
cat /root/pinged
grep -q ' 0% packet loss' /root/pinged
test \"$(systemctl show --property MainPID --value smoc.service)\" != $old
not sh -c 'grep mtu /root/link-changes | grep -v xdp'
sent=$(sed -n 's/ packets transmitted.*//p' /root/pinged)
echo \"measured: $sent sent in the upgrade, $(($(plain) - before)) redirected, $(grep -o '[0-9.]*% packet loss' /root/pinged)\"
test $(($(plain) - before)) -ge $sent
smoc --version
dpkg-query --show --showformat '${Version}' smoc | grep next";

const HOST_UPGRADED: &str = "
for i in $(seq 50); do systemctl is-active smoc-host.service && break; sleep 0.1; done
ip mptcp endpoint show | tee /dev/stderr | cmp - /root/endpoints
sleep 1
ip mptcp endpoint show | cmp - /root/endpoints
test $(systemctl show --property NRestarts --value smoc-host.service) = 1";

const REMOVE: &str = "
dpkg -r smoc
not systemctl is-active smoc.service
not systemctl is-active smoc-host.service
not sh -c 'ip link show p1 | grep xdp'
test ! -e /sys/fs/bpf/smoc
test -z \"$(ip mptcp endpoint show)\"
test ! -e /usr/bin/smoc
grep -q 'switch: e1' /etc/smoc/agent.yaml";

const REINSTALL: &str = "
dpkg -i --force-confold /root/next.deb
systemctl is-enabled smoc.service
systemctl start smoc.service
for i in $(seq 50); do ip link show p1 | grep xdp && exit 0; sleep 0.1; done
exit 1";

const PURGE: &str = "
echo key > /etc/smoc/fabric.key
dpkg -P smoc
sh /root/list > /root/after
diff /root/before /root/after
test ! -e /sys/fs/bpf/smoc
test ! -e /run/smoc
not sh -c 'ip link show p1 | grep xdp'
not dpkg -s smoc
not sh -c 'systemctl list-units --all --plain | grep ^smoc'";
