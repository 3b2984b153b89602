package pluginhost

import "time"

// Verify checks an executable as a start would, without running it: that it is
// a regular file which nobody else can write, with the pinned SHA-256. The
// remark is something that the operator should mend; empty if there is none.
func Verify(s Spec) (remark string, err error) {
	v, err := verify(s, nil, time.Time{})
	if err != nil {
		return "", err
	}
	defer v.file.Close()
	return v.remark, nil
}
