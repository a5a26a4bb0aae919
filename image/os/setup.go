package main

import "context"

func takeOver() error { return nil }

func hotspot(context.Context) error { return nil }
