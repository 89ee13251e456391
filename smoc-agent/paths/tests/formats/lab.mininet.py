#!/usr/bin/env python3
"""A square of switches."""
from mininet.net import Mininet
from mininet.link import TCLink


def network():
    net = Mininet(link=TCLink)
    s1 = net.addSwitch('s1', dpid='0000000000000001')
    s2 = net.addSwitch("s2")  # the other one
    h1 = net.addHost('h1', ip='10.0.0.1/24', mac='00:00:00:00:00:01')
    h2 = net.addHost('h2', ip='10.0.0.2/24')
    net.addLink(h1, s1)
    net.addLink(h2, s2, port2=9)
    net.addLink(s1, s2, 2, 3, bw=100, delay='5ms',
                max_queue_size=1000, use_htb=True)
    net.addLink('s2', 's1', bw=10)
    return net
