package federation

import "context"

// Check tries a configured provider, and says what was tried.
func (f *Service) Check(ctx context.Context, name string) (note string, err error) {
	switch up := f.configured[name].(type) {
	case *openID:
		m, err := up.issuer.metadata(ctx)
		if err != nil {
			return "", err
		}
		up.issuer.mu.Lock()
		defer up.issuer.mu.Unlock()
		return m.Issuer + " answers, its keys are there; callback " + up.callback, up.issuer.fetchKeys(ctx, f.now())
	case *oauth:
		_, err := up.begin(ctx, &Pending{}, "state", "")
		return "driver " + up.provider.Driver + " begins; callback " + up.callback, err
	}
	return "", ErrUnknown
}
