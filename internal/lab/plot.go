package main

import (
	"fmt"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// palette tells pairs apart, also for people who do not see red and green.
func palette(i int) color.Color {
	return []color.Color{
		color.RGBA{0x00, 0x72, 0xB2, 0xFF}, color.RGBA{0xD5, 0x5E, 0x00, 0xFF}, color.RGBA{0x00, 0x9E, 0x73, 0xFF},
		color.RGBA{0xCC, 0x79, 0xA7, 0xFF}, color.RGBA{0x56, 0xB4, 0xE9, 0xFF}, color.RGBA{0xE6, 0x9F, 0x00, 0xFF},
	}[i%6]
}

// plotAlignment draws the alignment of each pair over time: lines are measured
// from the recordings, dots are the speakers' own reports.
func plotAlignment(path, title string, pairs []pair) error {
	p := plot.New()
	p.Title.Text = title
	p.X.Label.Text = "seconds since the first sound"
	p.Y.Label.Text = "alignment at the output, µs"
	p.Legend.Top, p.Legend.Left = true, true
	p.Add(plotter.NewGrid())
	start := pairs[0].measured[0].Nanos
	low, high := -25.0, 25.0 // never a scale that makes noise look large
	for i, pr := range pairs {
		var lines []plotter.XYs // one for each stretch without a pause
		var dots plotter.XYs
		for n, m := range pr.measured {
			y := float64(m.Late) / 1e3
			low, high = min(low, y*1.1), max(high, y*1.1)
			if n == 0 || m.Nanos-pr.measured[n-1].Nanos > 2e9 {
				lines = append(lines, nil)
			}
			last := &lines[len(lines)-1]
			*last = append(*last, plotter.XY{X: float64(m.Nanos-start) / 1e9, Y: y})
		}
		for _, r := range pr.reported {
			if r.at >= start {
				dots = append(dots, plotter.XY{X: float64(r.at-start) / 1e9, Y: float64(r.late) / 1e3})
			}
		}
		for n, line := range lines {
			l, err := plotter.NewLine(line)
			if err != nil {
				return err
			}
			l.Color, l.Width = palette(i), vg.Points(1.5)
			p.Add(l)
			if n == 0 {
				p.Legend.Add(fmt.Sprintf("%s – %s", pr.b.name, pr.a.name), l)
			}
		}
		if len(dots) > 0 {
			s, err := plotter.NewScatter(dots)
			if err != nil {
				return err
			}
			s.Color, s.Radius = palette(i), vg.Points(2)
			p.Add(s)
		}
	}
	p.Y.Min, p.Y.Max = low, high
	return p.Save(10*vg.Inch, 4.5*vg.Inch, path)
}
