# SPDX-License-Identifier: MIT
# The picture of bench/run.sh: gnuplot -e "table='...'; picture='...'" plot.gp
# The table has a block for each group: name, median, first and third quartile, p99, max.
set terminal svg size 1120,1180 dynamic background rgb 'white' font 'sans-serif,13'
set output picture
set datafile separator "\t"
set style fill solid 0.85 noborder
set bmargin 2.5
set tmargin 2.5
set lmargin 26
set rmargin 8
unset key
unset border
set border 1 lc rgb '#888888'
set ytics nomirror scale 0
set xtics nomirror tc rgb '#666666'
set grid xtics lc rgb '#e8e8e8' lt 1

ours = 0x1f6feb
peer = 0xb8bec8
tint(name) = name eq 'shmstream' ? ours : peer
digits(v) = v < 10 ? sprintf('%.2f', v) : v < 100 ? sprintf('%.1f', v) : sprintf('%.0f', v)

# A bar for each line of a block, the first at the top, its median written behind it. On a logarithmic axis bars
# begin at its left end.
bars(block, left) = sprintf( \
    "plot table index '%s' using (left):0:(%g):2:(\$0-0.36):(\$0+0.36):(tint(strcol(1))):ytic(1) \
with boxxyerror lc rgb variable, \
'' index '%s' using 2:0:(' '.digits(column(2))) with labels left offset 0.2,0 tc rgb '#222222'", block, left, block)

set multiplot layout 5,2 title "shmstream beside its peers: medians of interleaved rounds" font ',17'
set yrange [*:*] reverse

set logscale x
set title "lock+unlock, uncontended (ns, logarithmic; less is better)"
left = 1.0
set xrange [1:8000]
eval(bars('uncontended', left))

set title "lock, write 64 B, read 64 B, unlock (ns, logarithmic; less is better)"
set xrange [1:30000]
eval(bars('record-64', left))
unset logscale x

set xrange [0:*]
left = 0
set title "lock+unlock, two processes (million a second; more is better)"
eval(bars('contended', left))
set title "the same, 100 ns of own work between (million a second; more is better)"
eval(bars('contended-100ns', left))
set title "hand-off to a sleeping waiter (µs; less is better)"
eval(bars('hand-off', left))
set title "reads of 256 B while another writes each 10 µs (million a second; more is better)"
eval(bars('snapshot', left))
set title "wait/notify round trip, both asleep (µs; less is better)"
eval(bars('round-trip', left))
set title "open+close of an existing region (µs; less is better)"
eval(bars('open', left))
set title "a holder is killed, a waiter asleep (ms until it has the lock; less is better)"
eval(bars('recovery', left))
set title "write of 64 MiB (GB/s; more is better)"
eval(bars('write-64M', left))
unset multiplot
