# cmake -DWEB=… -DOUT=… -DNPM=… -P build_web.cmake: the web app's bundles into OUT.
#
# Several build folders of one checkout share its node_modules: one at a time, and npm only where the list of packages is
# another one than when they were installed.
file(LOCK ${WEB}/package-lock.json.lock GUARD PROCESS TIMEOUT 900)
file(SHA256 ${WEB}/package-lock.json wanted)
set(installed "")
if(EXISTS ${WEB}/node_modules/.installed)
  file(READ ${WEB}/node_modules/.installed installed)
endif()
if(NOT installed STREQUAL wanted)
  execute_process(COMMAND ${NPM} ci --ignore-scripts --no-audit --no-fund --loglevel=error
    WORKING_DIRECTORY ${WEB} RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "error: npm could not install what gateway/web/package-lock.json lists; is its registry reachable?")
  endif()
  file(WRITE ${WEB}/node_modules/.installed ${wanted})
endif()
set(ENV{KEYPORTAL_WEB_OUT} ${OUT})
execute_process(COMMAND ${NPM} run --silent build WORKING_DIRECTORY ${WEB} RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "error: the web app could not be built; see above")
endif()
file(TOUCH ${OUT}/index.html)
