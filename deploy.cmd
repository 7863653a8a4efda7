@echo off
rem Finds a Python and runs cli\bootstrap.py, which makes the virtual environment and runs the dyber command.
setlocal
set "PYTHONUTF8=1"
where py >nul 2>nul
if %errorlevel%==0 (
    py -3 "%~dp0cli\bootstrap.py" %*
    exit /b
)
where python >nul 2>nul
if %errorlevel%==0 (
    python "%~dp0cli\bootstrap.py" %*
    exit /b
)
echo Python 3.11 or newer is needed: https://www.python.org/downloads/ 1>&2
exit /b 2
