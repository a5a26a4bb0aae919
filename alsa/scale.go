package alsa

import (
	"math"

	"github.com/tutti-audio/tutti/alsa/internal/uapi"
)

// scale turns a value into dB.
type scale func(v int) float64

// parseScale reads type-length-value data; nil when it tells no dB.
func parseScale(data []uint32, least, most int) scale {
	if len(data) < 2 || int(data[1]/4) > len(data)-2 {
		return nil
	}
	kind, body := data[0], data[2:2+data[1]/4]
	switch kind {
	case uapi.TLVContainer:
		return parseScale(body, least, most)
	case uapi.TLVRange:
		return parseRange(body)
	}
	if len(body) < 2 {
		return nil
	}
	lowest, second := float64(int32(body[0]))/100, body[1]
	switch kind {
	case uapi.TLVScale:
		step, mutes := float64(second&uapi.TLVScaleMask)/100, second&uapi.TLVScaleMuteBit != 0
		return func(v int) float64 { return silent(mutes && v <= least, lowest+step*float64(v-least)) }
	case uapi.TLVMinMax, uapi.TLVMinMaxMute:
		highest, span := float64(int32(second))/100, float64(max(most-least, 1))
		return func(v int) float64 {
			return silent(kind == uapi.TLVMinMaxMute && v <= least, lowest+(highest-lowest)*float64(v-least)/span)
		}
	case uapi.TLVLinear:
		low, high := math.Pow(10, lowest/20), math.Pow(10, float64(int32(second))/2000)
		if lowest <= -99999.99 {
			low = 0
		}
		span := float64(max(most-least, 1))
		return func(v int) float64 { return 20 * math.Log10(low+(high-low)*float64(v-least)/span) }
	}
	return nil
}

func silent(yes bool, decibels float64) float64 {
	if yes {
		return math.Inf(-1)
	}
	return decibels
}

// parseRange reads a table of scales for ranges of values, in rising order.
func parseRange(body []uint32) scale {
	type piece struct {
		least, most int
		scale       scale
	}
	var pieces []piece
	for len(body) >= 4 {
		p := piece{least: int(int32(body[0])), most: int(int32(body[1]))}
		length := 2 + int(body[3]/4)
		if length > len(body)-2 {
			return nil
		}
		if p.scale = parseScale(body[2:2+length], p.least, p.most); p.scale == nil {
			return nil
		}
		pieces = append(pieces, p)
		body = body[2+length:]
	}
	if pieces == nil {
		return nil
	}
	return func(v int) float64 {
		for _, p := range pieces {
			if v <= p.most {
				return p.scale(max(v, p.least))
			}
		}
		last := pieces[len(pieces)-1]
		return last.scale(last.most)
	}
}
