swift build
# In one terminal:
.build/debug/Chat ws://127.0.0.1:7190 anna.token anna.db bert
# In another one:
.build/debug/Chat ws://127.0.0.1:7190 bert.token bert.db anna
