sys.stdout.buffer.write(contents(sys.argv[1]))
