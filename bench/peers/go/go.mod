module landline.invalid/bench

go 1.27
