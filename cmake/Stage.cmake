# add_stage(NAME FOLDER f [HEADERS ...] [SOURCES ...] [NEEDS targets...] [PRIVATE targets...])
#
# A static library of one stage of the pipeline. Its include path is a tree of links to its own headers only, so that a stage
# can include what it NEEDS and nothing else: an include that points to a later stage does not compile. Without HEADERS and
# SOURCES it takes all of the folder (not its subfolders) that no earlier stage of that folder took.
function(add_stage NAME)
  cmake_parse_arguments(S "" "FOLDER" "HEADERS;SOURCES;NEEDS;PRIVATE" ${ARGN})
  set(folder ${CMAKE_SOURCE_DIR}/${S_FOLDER})
  file(GLOB all_headers CONFIGURE_DEPENDS RELATIVE ${folder} ${folder}/*.h)
  file(GLOB all_sources CONFIGURE_DEPENDS RELATIVE ${folder} ${folder}/*.cpp)
  get_property(taken GLOBAL PROPERTY "TAKEN_${S_FOLDER}")
  if(NOT S_HEADERS AND NOT S_SOURCES)
    set(S_HEADERS ${all_headers})
    set(S_SOURCES ${all_sources})
    list(REMOVE_ITEM S_HEADERS ${taken} "")
    list(REMOVE_ITEM S_SOURCES ${taken} main.cpp "")
  endif()
  set_property(GLOBAL APPEND PROPERTY "TAKEN_${S_FOLDER}" ${S_HEADERS} ${S_SOURCES})

  set(tree ${CMAKE_BINARY_DIR}/include/${NAME})
  file(REMOVE_RECURSE ${tree})
  file(MAKE_DIRECTORY ${tree}/${S_FOLDER})
  foreach(header ${S_HEADERS})
    file(CREATE_LINK ${folder}/${header} ${tree}/${S_FOLDER}/${header} SYMBOLIC)
  endforeach()

  list(TRANSFORM S_SOURCES PREPEND ${folder}/)
  add_library(${NAME} STATIC ${S_SOURCES})
  target_include_directories(${NAME} PUBLIC ${tree})
  target_link_libraries(${NAME} PUBLIC ${S_NEEDS} PRIVATE ${S_PRIVATE})
  target_compile_options(${NAME} PRIVATE ${POLICYC_WARNINGS})
  target_compile_definitions(${NAME} PRIVATE POLICYC_VERSION="${PROJECT_VERSION}")
endfunction()

set(POLICYC_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Wold-style-cast
    -Woverloaded-virtual -Wswitch -Wzero-as-null-pointer-constant -Wno-missing-field-initializers -Werror)
