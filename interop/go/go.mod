module landline.test/interop

go 1.24
