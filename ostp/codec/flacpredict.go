package codec

// decodeFixed reads a subframe with a fixed predictor.
func decodeFixed(r *bitReader, out []int32, order int, bits uint) bool {
	if order > len(out) {
		return false
	}
	for i := range order {
		out[i] = r.signed(bits)
	}
	if !decodeResidual(r, out, order) {
		return false
	}
	for i := order; i < len(out); i++ {
		switch order {
		case 1:
			out[i] += out[i-1]
		case 2:
			out[i] += 2*out[i-1] - out[i-2]
		case 3:
			out[i] += 3*out[i-1] - 3*out[i-2] + out[i-3]
		case 4:
			out[i] += 4*out[i-1] - 6*out[i-2] + 4*out[i-3] - out[i-4]
		}
	}
	return true
}

// decodeLPC reads a subframe with its own predictor.
func decodeLPC(r *bitReader, out []int32, order int, bits uint) bool {
	if order > len(out) || order > flacMaxLPC {
		return false
	}
	for i := range order {
		out[i] = r.signed(bits)
	}
	precision := uint(r.read(4)) + 1
	shift := r.signed(5)
	if precision == 16 || shift < 0 {
		return false
	}
	var coef [flacMaxLPC]int64
	for k := range order {
		coef[k] = int64(r.signed(precision))
	}
	if !decodeResidual(r, out, order) {
		return false
	}
	for i := order; i < len(out); i++ {
		sum := int64(0)
		past := out[i-order : i]
		for k := range past {
			sum += coef[k] * int64(past[len(past)-1-k])
		}
		out[i] += int32(sum >> shift)
	}
	return true
}

// decodeResidual reads the residual into out[order:].
func decodeResidual(r *bitReader, out []int32, order int) bool {
	method := r.read(2)
	if method > 1 {
		return false
	}
	width := uint(4 + method)
	partition := r.read(4)
	count := 1 << partition
	size := len(out) >> partition
	if size<<partition != len(out) || size < order && count > 1 || size == 0 {
		return false
	}
	for k := range count {
		part := out[max(k*size, order) : (k+1)*size]
		param := uint(r.read(width))
		if param == 1<<width-1 {
			raw := uint(r.read(5))
			for i := range part {
				part[i] = r.signed(raw)
			}
		} else {
			decodeRice(r, part, param)
		}
		if r.bad {
			return false
		}
	}
	return true
}

// decodeRice reads one partition.
func decodeRice(r *bitReader, part []int32, param uint) {
	for i := range part {
		u := r.unary()<<param | r.read(param)
		part[i] = int32(u>>1) ^ -int32(u&1)
	}
}
