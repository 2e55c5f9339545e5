# SPDX-License-Identifier: MIT
# The picture of bench/run.sh: gnuplot -e "table='...'; picture='...'" plot.gp
# The table has a block for each group: name, median, first and third quartile, p99, max.
set terminal svg size 1100,1440 dynamic noenhanced background rgb 'white' font 'sans-serif,13'
set output picture
set datafile separator "\t"
set style fill solid noborder
set lmargin 27
set rmargin 7
set tmargin 3
set bmargin 2.5
unset key
set border 1 lc rgb '#888888'
set ytics nomirror scale 0 tc rgb '#222222'
set xtics nomirror tc rgb '#666666'
set grid xtics lc rgb '#e8e8e8' lt 1

tint(name) = name eq 'shmstream' ? 0x1f6feb : 0xb8bec8
digits(v) = v < 10 ? sprintf('%.2f', v) : v < 100 ? sprintf('%.1f', v) : sprintf('%.0f', v)

# A bar for each line of a block, the first at the top, its median written behind it. On a logarithmic axis bars
# begin at its left end. There is room for `rows` bars, so that few are not drawn thicker than many.
bars(block, rows) = sprintf("set yrange [%g:-0.6]; \
plot table index '%s' using (left):0:(%g):2:($0-0.36):($0+0.36):(tint(strcol(1))):ytic(1) \
with boxxyerror lc rgb variable, \
'' index '%s' using 2:0:(' '.digits($2)) with labels left offset 0.2,0 tc rgb '#222222'", \
rows - 0.4, block, left, block)

set multiplot layout 6,2 title "shmstream beside its peers: medians of interleaved rounds\n" font ',17'

set logscale x
left = 1.0
set xrange [1:8000]
set title "lock+unlock, uncontended\nns, logarithmic; less is better"
eval(bars('uncontended', 8))
set xrange [1:30000]
set title "lock, write 64 B, read 64 B, unlock\nns, logarithmic; less is better"
eval(bars('record-64', 7))
unset logscale x

left = 0
set xrange [0:*]
set title "lock+unlock, two processes\nmillion a second; more is better"
eval(bars('contended', 7))
set title "the same, 100 ns of own work between\nmillion a second; more is better"
eval(bars('contended-100ns', 7))
set title "hand-off of the lock to a sleeping waiter\nµs; less is better"
eval(bars('hand-off', 7))
set title "reads of 256 B while another writes each 10 µs\nmillion a second; more is better"
eval(bars('snapshot', 5))
set title "a holder is killed: a sleeping waiter has the lock\nms; less is better"
eval(bars('recovery', 4))
set title "a holder was killed: a newcomer's lock\nµs; less is better"
eval(bars('newcomer', 4))
set title "wait/notify round trip, both asleep\nµs; less is better"
eval(bars('round-trip', 4))
set title "open+close of an existing region\nµs; less is better"
eval(bars('open', 4))
set title "write of 1 MiB\nGB/s; more is better"
eval(bars('write-1M', 4))
set title "read of 1 MiB\nGB/s; more is better"
eval(bars('read-1M', 4))
unset multiplot
