package offset

// vector holds the coefficients of 1, x and x²/2.
type vector [3]float64

// matrix is symmetric.
type matrix [3][3]float64

// normal is the normal equation of a weighted least squares parabola.
type normal struct {
	xx matrix
	xy vector
}

// add takes in a point (x, y) that counts w.
func (m *normal) add(w, x, y float64) {
	h := x * x / 2
	wx, wh := w*x, w*h
	m.xx[0][0] += w
	m.xx[0][1] += wx
	m.xx[0][2] += wh
	m.xx[1][1] += wx * x
	m.xx[1][2] += wx * h
	m.xx[2][2] += wh * h
	m.xy[0] += w * y
	m.xy[1] += wx * y
	m.xy[2] += wh * y
}

// invert returns the inverse by cofactors. The priors on the diagonal keep the
// determinant above zero.
func (m *normal) invert() (r matrix) {
	a, b, c := m.xx[0][0], m.xx[0][1], m.xx[0][2]
	d, e, f := m.xx[1][1], m.xx[1][2], m.xx[2][2]
	r[0][0], r[0][1], r[0][2] = d*f-e*e, c*e-b*f, b*e-c*d
	r[1][1], r[1][2], r[2][2] = a*f-c*c, b*c-a*e, a*d-b*b
	det := a*r[0][0] + b*r[0][1] + c*r[0][2]
	for i := range r {
		for j := i; j < len(r); j++ {
			r[i][j] /= det
			r[j][i] = r[i][j]
		}
	}
	return r
}

func (m matrix) times(v vector) (r vector) {
	for i, row := range m {
		for j, x := range row {
			r[i] += x * v[j]
		}
	}
	return r
}
