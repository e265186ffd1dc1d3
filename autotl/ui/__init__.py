"""A local web page about run folders: live, compared, downloaded, tried. Needs the extra `serve`, no torch.

    request -> guard (Host, Origin, headers) -> app (routes) -> runs (names to folders)
            -> watching (events) | describing (run.json) | comparing | trying (bundles) | archive (zip)

What a client sends is looked up among the names that there are, and never becomes part of a path. The page
itself is `page/`: HTML, CSS and scripts as they are served, which load nothing from elsewhere.
"""
