# as the Internet Topology Zoo writes it
Creator "Topology Zoo Toolset"
graph [
  directed 0
  multigraph 1
  node [
    id 0
    label "K&#246;ln"
    Country "Germany"
    Longitude 6.95
    Latitude 50.93333
    graphics [ x 1.0 y 2.0 ]
  ]
  node [
    id 1
    label "Paris"
    Longitude 2.3488
    Latitude 48.85341
  ]
  edge [
    source 0
    target 1
    LinkSpeed "10"
    LinkSpeedUnits "G"
    LinkLabel "10 Gbps"
    LinkSpeedRaw 10000000000.0
  ]
  edge [
    source 0
    target 1
    LinkSpeed "34-155"
    delay 3
  ]
  edge [
    source 1
    target 1
  ]
]
