@echo off
net use h: \\fs1.src.test\home$
