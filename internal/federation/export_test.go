package federation

import "context"

// Drivers are the drivers by name.
var Drivers = drivers

// Guarded is guarded.
func Guarded(ctx context.Context, fn func() (int, error)) (int, error) { return guarded(ctx, fn) }
