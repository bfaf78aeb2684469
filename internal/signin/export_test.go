package signin

import "context"

// WriteSeen is what Run does each second, so that tests need not wait for it.
func (s *Service) WriteSeen(ctx context.Context) error { return s.writeSeen(ctx) }
