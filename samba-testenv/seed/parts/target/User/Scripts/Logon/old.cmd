@echo off
rem of the target
